"""Endpoint: what a program serves: its sockets, its plain HTTP handlers, its static files; and the tree they run in.

Endpoint (rest_for_one)
├─ PubSub         the process that the topic tables live with
├─ UserSocket     PartitionSupervisor: the pool, n DynamicSupervisors over channels
├─ Flusher        writes to all connections
├─ Reader         reads from those that are plain sockets, where there is epoll
├─ Sessions       DynamicSupervisor over long-poll sessions, if a socket has them
├─ Connections    PartitionSupervisor: n DynamicSupervisors over connections
├─ Listener       accepts, unless it was started with server=False
└─ Drainer        last, so the first to be stopped: empties the house
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Final, TypeVar

import attrs
import trio

from phxactor.endpoint import longpoll
from phxactor.endpoint.address import DEFAULT, Address, Path, locate
from phxactor.endpoint.answering import MAX_BODY, Answering
from phxactor.endpoint.connection import start_connection
from phxactor.endpoint.connection_limits import ConnectionLimits
from phxactor.endpoint.drainer import DrainOptions, drainer_spec
from phxactor.endpoint.listener import listen
from phxactor.endpoint.mount import Mount
from phxactor.endpoint.routes import Route, Routes
from phxactor.endpoint.tls import check_context
from phxactor.otp import ChildSpec, DynamicSupervisor, Error, Ignore, Ok, PartitionSupervisor, Supervisor
from phxactor.pubsub import PubSub
from phxactor.runtime import Pid, self_pid, wrong_thread
from phxactor.socket import Broadcaster, Socket
from phxactor.token.keys import MIN_SECRET
from phxactor.transport.delivery import Delivery
from phxactor.transport.flusher import Flusher
from phxactor.transport.options import checked_bytes, checked_seconds
from phxactor.transport.reader import AVAILABLE as READER_AVAILABLE
from phxactor.transport.reader import Reader
from phxactor.transport.request import PeerData, Request
from phxactor.transport.response import Response

T = TypeVar("T")

DEFAULT_PORT = DEFAULT.port
MAX_MODE: Final = 0o777
IN_MEMORY: Final = PeerData("memory", 0)


class Endpoint(Broadcaster):
    """Sockets, routes and static files on one port, with one PubSub.

    Args:
        sockets: made by `mount`.
        routes: plain HTTP handlers, made by `get`, `post`, `route` or `static`.
        pubsub: one of the endpoint's own, unless given.
        secret_key_base: what tokens are signed with, at least 20 bytes; a new one at every start, unless given.
        drain: how it empties itself when it is told to stop.
        name: tells it from another endpoint in one program.
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

    def __init__(
        self,
        *,
        sockets: Sequence[Mount] = (),
        routes: Sequence[Route] = (),
        pubsub: PubSub | None = None,
        secret_key_base: str | None = None,
        drain: DrainOptions | None = None,
        name: str = "endpoint",
        host: str | None = None,
        port: int | None = None,
        path: Path | None = None,
        path_mode: int = 0o600,
        tls: ssl.SSLContext | None = None,
        max_connections: int | None = None,
        max_connections_per_address: int | None = None,
        request_timeout: float = 60.0,
        max_body_bytes: int = MAX_BODY,
    ) -> None:
        super().__init__(pubsub if pubsub is not None else PubSub())
        self.name = name
        self.sockets = _all("sockets", sockets, Mount, "mount(path, Socket)")
        self.routes = Routes(_all("routes", routes, Route, "get, post, route or static"))
        self.secret_key_base = _secret(secret_key_base, self.sockets)
        """What tokens are signed and encrypted with."""
        self.where = locate(host, port, path)
        """Where it listens, unless it is told otherwise when it starts."""
        if type(path_mode) is not int or not 0 <= path_mode <= MAX_MODE:
            raise ValueError(f"path_mode is 0 to 0o777, such as 0o660 for a group too, not {path_mode!r}")
        self.path_mode = path_mode
        """The permissions of a Unix socket's file."""
        self.tls = check_context(tls)
        """What connections are encrypted with."""
        limits = ConnectionLimits(max_connections, max_connections_per_address)
        unlimited = max_connections is None and max_connections_per_address is None
        self.limits = None if unlimited else limits
        """How many connections there may be, if that is limited."""
        self.request_timeout = checked_seconds("request_timeout", request_timeout)
        """Seconds that the handler of a route may wait."""
        self.max_body_bytes = checked_bytes("max_body_bytes", max_body_bytes)
        """Bytes of a request's body."""
        self.address: Address | None = None
        """Where it listens, once it does."""
        self.drain = drain if drain is not None else DrainOptions()
        """How it empties itself when it is told to stop."""
        self.draining = False
        """Whether it does."""
        self.idle: set[Pid] = set()
        """Connections that wait for a request, and lose nothing when they are ended."""
        self.listener: Pid | None = None
        self.flusher = Flusher()
        self.reader = Reader() if READER_AVAILABLE else None
        self._websockets: dict[str, Mount] = {}
        self._longpolls: dict[str, Mount] = {}
        for one in self.sockets:
            for at, table in ((one.websocket_path, self._websockets), (one.longpoll_path, self._longpolls)):
                if at in self._websockets or at in self._longpolls:
                    raise ValueError(f"two sockets are mounted at {at}")
                if at is not None:
                    table[at] = one
        self.sessions = longpoll.Sessions()
        """The long-poll sessions."""
        self._sessions_supervisor: Pid | None = None
        self._pools: dict[type[Socket], Pid] = {}
        self._connections: Pid | None = None

    # ----------------------------------------------------------------------------------------- the tree

    def child_spec(
        self, *, host: str | None = None, port: int | None = None, path: Path | None = None, server: bool = True
    ) -> ChildSpec:
        """Say how a supervisor starts it: `start_link` with the same options."""
        given = {"host": host, "port": port, "path": path, "server": server}
        return ChildSpec(id="endpoint", start=(self.start_link, (), given), type="supervisor")

    async def start_link(
        self, *, host: str | None = None, port: int | None = None, path: Path | None = None, server: bool = True
    ) -> Ok[Pid] | Error | Ignore:
        """Start the tree, linked to the caller; `Error` names an address that cannot be had.

        With `server=False` it listens nowhere: for tests, and programs whose clients come by `serve_stream` only.
        Raises WrongThreadError while it runs in another thread.
        """
        if self._connections is not None and self._connections.alive and self._connections.thread != self_pid().thread:
            raise wrong_thread(self)
        self.draining = False
        if not server:
            self.listener = self.address = None
        where = attrs.evolve(locate(host, port, path, self.where), secure=self.tls is not None)
        handlers = {one.handler for one in self.sockets}
        pools = [handler for handler in handlers if issubclass(handler, Socket)]
        sessions = [ChildSpec(id="sessions", start=(self._start_sessions, (), {}), type="supervisor")]
        children = [
            self.pubsub.child_spec(),
            *(self._pool_spec(handler) for handler in sorted(pools, key=lambda handler: handler.__qualname__)),
            self.flusher.child_spec(),
            *(() if self.reader is None else (self.reader.child_spec(),)),
            *(sessions if self._longpolls else ()),
            ChildSpec(id="connections", start=(self._start_connections, (), {}), type="supervisor"),
            *((ChildSpec(id="listener", start=(listen, (self, where), {})),) if server else ()),
            drainer_spec(self, self.drain),
        ]
        return await Supervisor.start_link(children, strategy="rest_for_one")

    def _pool_spec(self, handler: type[Socket]) -> ChildSpec:
        return ChildSpec(
            id=f"{handler.__qualname__} channels", start=(self._start_pool, (handler,), {}), type="supervisor"
        )

    async def _start_pool(self, handler: type[Socket]) -> Ok[Pid] | Error | Ignore:
        name = f"{self.name}.{handler.__module__}.{handler.__qualname__}.channels"
        started = await PartitionSupervisor.start_link(DynamicSupervisor, name, partitions=handler.partitions)
        if isinstance(started, Ok):
            self._pools[handler] = started.value
        return started

    async def _start_sessions(self) -> Ok[Pid] | Error | Ignore:
        started = await DynamicSupervisor.start_link()
        if isinstance(started, Ok):
            self._sessions_supervisor = started.value
        return started

    async def _start_connections(self) -> Ok[Pid] | Error | Ignore:
        started = await PartitionSupervisor.start_link(DynamicSupervisor, f"{self.name}.connections")
        if isinstance(started, Ok):
            self._connections = started.value
        return started

    # -------------------------------------------------------------------------------- for its processes

    async def transports(self) -> list[Pid]:
        """List the connections and the long-poll sessions."""
        supervisors = [] if self._sessions_supervisor is None else [self._sessions_supervisor]
        if self._connections is not None:
            partitions = await PartitionSupervisor.which_children(self._connections)
            supervisors += [partition.pid for partition in partitions if isinstance(partition.pid, Pid)]
        children = [child for one in supervisors for child in await DynamicSupervisor.which_children(one)]
        return [child.pid for child in children if isinstance(child.pid, Pid)]

    def websocket_at(self, path: str) -> Mount | None:
        """Return what is mounted at a WebSocket's path."""
        return self._websockets.get(path)

    def pool_of(self, handler: type[Socket], transport: Pid) -> Pid:
        """Return the supervisor that a transport's channels are started by."""
        return PartitionSupervisor.child(self._pools[handler], transport.number)

    @property
    def sessions_supervisor(self) -> Pid:
        """The supervisor of the long-poll sessions."""
        if self._sessions_supervisor is None:
            raise RuntimeError("the endpoint has not been started, or no socket is mounted with longpoll")
        return self._sessions_supervisor

    def supervisor_of(self, number: int) -> Pid:
        """Return the supervisor that the connection with this number is started by."""
        if self._connections is None:
            raise RuntimeError("the endpoint has not been started")
        return PartitionSupervisor.child(self._connections, number)

    async def serve_stream(self, stream: trio.abc.Stream, peer: PeerData = IN_MEMORY) -> Ok[Pid] | Error | Ignore:
        """Serve a client on any of trio's streams, as if it had been accepted: in memory, for tests."""
        spec = ChildSpec(id="connection", start=(start_connection, (self, stream, peer), {}), restart="temporary")
        return await DynamicSupervisor.start_child(self.supervisor_of(0), spec)

    async def answer(self, request: Request) -> Response:
        """Answer a request that does not ask for a WebSocket, whole; whoever calls this has the response."""
        answering = self.answering(request)
        if isinstance(answering, Response):
            return answering
        try:
            if len(request.body) > answering.max_body_bytes:
                return Response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            response = await answering.answer(request)
            if isinstance(response, Delivery):
                response.poll.arrived = True
            return response
        finally:
            answering.end()

    def answering(self, request: Request) -> Answering | Response:
        """Say how such a request is answered, or answer it, by its head."""
        mount = self._longpolls.get(request.path)
        if mount is not None and mount.longpoll is not None:
            return longpoll.answering(self, mount, mount.longpoll, request)
        found = self.routes.find(request)
        if isinstance(found, Response):
            return found
        seconds, most = found.route.timeout, found.route.max_body_bytes
        return Answering(
            answer=found.answer,
            seconds=self.request_timeout if seconds is None else seconds,
            max_body_bytes=self.max_body_bytes if most is None else most,
        )


def _all(name: str, given: Sequence[T], kind: type[T], made_by: str) -> tuple[T, ...]:
    """Return what was given, all of one kind. Raises TypeError."""
    if isinstance(given, kind | str) or not isinstance(given, Iterable):
        raise TypeError(f"{name} is a list of what {made_by} makes, not {given!r:.200}")
    for one in given:
        if not isinstance(one, kind):
            raise TypeError(f"{name} are made by {made_by}, and {one!r:.200} is not")
    return tuple(given)


def _secret(given: str | None, sockets: Sequence[Mount]) -> str:
    """Check a secret, or make one. Raises ValueError."""
    if given is None:
        for one in sockets:
            if any(options is not None and options.session is not None for options in (one.websocket, one.longpoll)):
                raise ValueError(f"the sessions at {one.path} need secret_key_base, the secret of their application")
        return secrets.token_urlsafe(48)
    if len(given.encode()) < MIN_SECRET:
        raise ValueError(f"secret_key_base has at least {MIN_SECRET} bytes; secrets.token_urlsafe(48) makes a good one")
    return given
