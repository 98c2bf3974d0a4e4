"""The process of a PubSub. Its tables exist while it runs, and are empty after a restart."""

from __future__ import annotations

from typing import Final

from phxactor.cluster import CLUSTER, LocalNode
from phxactor.otp import GenServer, Reply, Stop
from phxactor.pubsub._crossing import KINDS, Receiver
from phxactor.pubsub._tables import Tables
from phxactor.runtime import Down, From, Runtime, Shutdown, is_atom, monitor, own, self_pid, send_after
from phxactor.telemetry import brief

RESTART: Final = 5.0
"""Seconds that a supervisor may take to start the cluster again."""
GLANCE: Final = 0.05
"""Seconds between two looks whether it has."""

_LOOK: Final = object()
"""The message to itself: look again."""


class PubSubServer(GenServer):
    """Owns the tables; answers `call(server, "statistics")`."""

    async def init(self, name: str) -> None:
        """Put empty tables into this process's dictionary, where `PubSub` finds them by the process's name."""
        pid = self_pid()
        node = LocalNode.found(pid.runtime)
        self.tables = Tables(name, node)
        self.until = 0.0
        """Until when it waits for the cluster's restart."""
        pid.dictionary = {**(pid.dictionary or {}), Tables: self.tables}
        own(pid, self.tables.end)
        if node is not None:
            receiver = Receiver(pid.runtime, find)  # the same for all PubSubs of the runtime
            for kind in KINDS:
                node.handle(kind, receiver)
            monitor(CLUSTER)

    async def handle_info(self, message: object) -> Stop | None:
        """End after the cluster, once it has been restarted: then the tables refer to its new node."""
        pid = self_pid()
        if type(message) is Down:
            self.until = pid.runtime.now() + RESTART
        elif message is not _LOOK:
            return None
        if LocalNode.found(pid.runtime) is None and pid.runtime.now() < self.until:
            send_after(pid, _LOOK, GLANCE)
            return None
        return Stop(Shutdown("cluster ended"))

    async def handle_call(self, request: object, from_: From) -> Reply:
        """Answer `"statistics"` with a PubSubStatistics; any other request raises ValueError."""
        if not is_atom(request, "statistics"):
            raise ValueError(f"a PubSub answers 'statistics', not {brief(request)}")
        return Reply(self.tables.statistics())


def find(name: str, runtime: Runtime) -> Tables | None:
    """Return the tables of the PubSub that runs under a name; None if no PubSub does."""
    server = runtime.names.whereis(name)
    if server is None or server.dictionary is None:
        return None
    tables = server.dictionary.get(Tables)
    return tables if isinstance(tables, Tables) else None
