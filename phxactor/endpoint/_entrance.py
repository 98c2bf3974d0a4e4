"""The entrance of a running endpoint: each connection comes in here, from the listener or from the program.

The listener hands in the sockets that it accepts. A program hands in sockets and streams that it has accepted itself,
or that another server has accepted: together with the bytes which were read from them already.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, final

import attrs

from phxactor.endpoint._connection_process import Accepted, Scheme, start_connection
from phxactor.endpoint._introduction import start_introduced
from phxactor.otp import ChildSpec, DynamicSupervisor, Error, Ignore, Ok
from phxactor.runtime import From, Pid, Runtime, self_pid

if TYPE_CHECKING:
    from phxactor.endpoint._serving import Serving
    from phxactor.http import PeerData


@final
class Entrance:
    """Starts the processes of connections, in turn under the endpoint's supervisors of connections."""

    def __init__(self, serving: Serving) -> None:
        """Belong to the calling process, the endpoint's supervisor."""
        self.serving = serving
        self._numbers = count()
        self._spec = ChildSpec(id="connection", start=(start_connection, (serving,), {}), restart="temporary")
        proxies = serving.endpoint.trusted_proxies
        introduced = proxies is not None and proxies.header == "proxy-protocol"
        start = start_introduced if introduced else start_connection
        self._accepted = attrs.evolve(self._spec, start=(start, (serving,), {}))
        """The spec for what the listener has accepted."""
        self._nobody = From(self_pid())  # an inactive caller: nobody waits for the supervisors' replies
        self._nobody.active = False

    @staticmethod
    def found(name: str, runtime: Runtime) -> Entrance | None:
        """Return the entrance of the endpoint with a name in a runtime; None if no endpoint runs under it."""
        supervisor = runtime.names.whereis(name)
        if supervisor is None or supervisor.dictionary is None:
            return None
        entrance = supervisor.dictionary.get(Entrance)
        return entrance if isinstance(entrance, Entrance) else None

    def takes(self) -> bool:
        """Say whether the endpoint takes connections now: it does not while it starts, stops or starts again."""
        return not self.serving.draining and self.serving.can_connect()

    def accept(self, accepted: Accepted, peer: PeerData) -> None:
        """Request a process for a connection, without waiting."""
        supervisor = self.serving.supervisor_of(next(self._numbers))
        DynamicSupervisor.request_child(supervisor, self._accepted, self._nobody, accepted, peer)

    def hand_over(self, accepted: Accepted, peer: PeerData, received: bytes, scheme: Scheme) -> None:
        """Do so for bytes that were read already, also from outside of processes; call it only if `takes` says so.

        The arguments are those of `start_connection`.
        """
        supervisor = self.serving.supervisor_of(next(self._numbers))
        DynamicSupervisor.request_child(supervisor, self._spec, self._nobody, accepted, peer, received, scheme)

    async def start(
        self, accepted: Accepted, peer: PeerData, received: bytes = b"", scheme: Scheme | None = None
    ) -> Ok[Pid] | Error | Ignore:
        """Start the process of a connection and return its pid, to a process."""
        supervisor = self.serving.supervisor_of(next(self._numbers))
        args = self.serving, accepted, peer, received, scheme
        spec = ChildSpec(id="connection", start=(start_connection, args, {}), restart="temporary")
        return await DynamicSupervisor.start_child(supervisor, spec)
