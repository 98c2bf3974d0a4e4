"""Endpoint: what a program declares and serves, and how what runs of it is found again.

    endpoint = Endpoint(sockets=[mount("/socket", UserSocket)])     options, checked and frozen
    run(endpoint)                                                   starts a Serving: the state, and a tree of processes
    endpoint.broadcast("room:1", "news", {})                        goes to what runs in the runtime of the caller

The tree stands in `tree`, the state in `serving`.
"""

from __future__ import annotations

from typing import Final

import attrs
import trio

from phxactor.endpoint import _answers as answers
from phxactor.endpoint._options import EndpointOptions
from phxactor.endpoint._serving import Serving
from phxactor.endpoint._tree import EndpointSupervisor, connection_spec
from phxactor.http import PeerData, Request, Response
from phxactor.net import Address, Path, Place, locate
from phxactor.otp import ChildSpec, DynamicSupervisor, Error, Ignore, Ok
from phxactor.runtime import NoProcessError, Pid, current_runtime

IN_MEMORY: Final = PeerData("memory", 0)


class Endpoint(EndpointOptions):
    """Sockets, routes and static files on one port, with one PubSub: options that never change.

    Args:
        sockets: made by `mount`.
        routes: plain HTTP handlers, made by `get`, `post`, `route` or `static`.
        pubsub: one that several endpoints, or other parts of a program, share: `PubSub("name")`. Some supervisor has
            it among its children, ahead of the endpoint. Unless given, the endpoint has one of its own.
        secret_key_base: what tokens are signed with, at least 20 bytes; unless given, a new one each time.
        drain: how it empties itself when it is told to stop.
        name: what its supervisor is registered as; it tells it from another endpoint in one runtime.
        host, port: where to listen, unless `start_link` or `child_spec` say otherwise: 127.0.0.1 and 4000, unless
            given; port 0 is any that is free, host `::` all addresses of this machine.
        path: a Unix socket to listen on instead. A file that a server left there which was killed is replaced.
        path_mode: the permissions of its file: the owner's alone, unless given.
        tls: a server's context, with its certificate: all connections are encrypted then.
        max_connections: connections that there may be at once, long-poll sessions among them; one more is answered 503,
            and under TLS closed without a word. None, as here unless given, is as many as the system has descriptors.
        max_connections_per_address: the same from one address, or the 64 bits of an IPv6 address that are a network's,
            and 429. A proxy is one address. Unix sockets have none.
        request_timeout: seconds that the handler of a route may wait, unless the route says otherwise; then 503 is
            answered, and the handler cancelled. `math.inf` for any number.
        max_body_bytes: of a request, 10 MiB unless given, unless its route or its mount says otherwise. One with a
            longer body is answered 413, and its body is not read; nor is that of a request that is refused anyway.

    Raises:
        ValueError: two sockets or routes at one path; a port, a mode or a context that cannot be; a path and a port.
        TypeError: an option of a wrong type.

    """

    __slots__ = ()

    # ---------------------------------------------------------------------------------------------- starting

    def child_spec(
        self, *, host: str | None = None, port: int | None = None, path: Path | None = None, server: bool = True
    ) -> ChildSpec:
        """Say how a supervisor starts it: `start_link` with the same options.

        A free port that was found for port 0 is kept when the supervisor starts it again.
        """
        place = self._place(host, port, path) if server else None
        return ChildSpec(id=self.name, start=(self._start_link, (place,), {}), type="supervisor")

    async def start_link(
        self, *, host: str | None = None, port: int | None = None, path: Path | None = None, server: bool = True
    ) -> Ok[Pid] | Error | Ignore:
        """Start the tree, linked to the caller.

        With `server=False` it listens nowhere: for tests, and programs whose clients come by `serve_stream` only.

        `Error(("already_started", pid))` if an endpoint of this name, or another process, has the name in this runtime;
        what runs is left alone. Other errors say in words that an address cannot be had, or that a shared PubSub does
        not run.
        """
        return await self._start_link(self._place(host, port, path) if server else None)

    def _place(self, host: str | None, port: int | None, path: Path | None) -> Place:
        where = locate(host, port, path, self.where)
        return Place(attrs.evolve(where, secure=self.tls is not None), self.path_mode)

    async def _start_link(self, place: Place | None) -> Ok[Pid] | Error | Ignore:
        if not self.own_pubsub and not self.pubsub.runs():
            return Error(
                f"the PubSub {self.pubsub.name!r} of the endpoint {self.name!r} does not run: "
                "it is a child of a supervisor, ahead of the endpoint"
            )
        return await EndpointSupervisor.start_link(Serving(self), place, name=self.name)

    # --------------------------------------------------------------------------------------- what runs of it

    def find(self) -> Serving | None:
        """Return what runs of this endpoint in the runtime of the caller; None if nothing does.

        Raises NotAProcessError outside of a process, unless just one runtime is open there.
        """
        serving = Serving.found(self.name, current_runtime())
        return serving if serving is not None and serving.endpoint is self else None

    @property
    def serving(self) -> Serving:
        """What runs of this endpoint in the runtime of the caller; raises NoProcessError if nothing does."""
        serving = self.find()
        if serving is None:
            raise NoProcessError(
                f"the endpoint {self.name!r} does not run: use phxactor.run(endpoint), or start_link()"
            )
        return serving

    @property
    def address(self) -> Address | None:
        """Where it listens; None if it was started with `server=False`. Raises NoProcessError if it does not run."""
        return self.serving.address

    async def serve_stream(self, stream: trio.abc.Stream, peer: PeerData = IN_MEMORY) -> Ok[Pid] | Error | Ignore:
        """Serve a client on any of trio's streams, as if it had been accepted: in memory, for tests."""
        serving = self.serving
        return await DynamicSupervisor.start_child(serving.supervisor_of(0), connection_spec(serving, stream, peer))

    async def answer(self, request: Request) -> Response:
        """Answer a request that does not ask for a WebSocket, whole, without a connection: for tests.

        A route answers though the endpoint does not run; a long poll raises NoProcessError then.
        """
        if request.path in self.longpolls:
            return await answers.answer(answers.answering_of(self.serving, request), request)
        return await answers.answer(answers.route_of(self, request), request)
