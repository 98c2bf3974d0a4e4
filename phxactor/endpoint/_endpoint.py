"""Endpoint: the options that a program declares, how to start a server with them, and how to find the running server.

    endpoint = Endpoint(sockets=[mount("/socket", UserSocket)])     options, checked and frozen
    run(endpoint)                                                   starts a Serving: the state, and a tree of processes
    endpoint.broadcast("room:1", "news", {})                        reaches the clients in the caller's runtime

The module `tree` holds the process tree, the module `serving` the state.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from typing import Final

import attrs
import trio

from phxactor.endpoint import _answers as answers
from phxactor.endpoint._connection_process import Scheme
from phxactor.endpoint._entrance import Entrance
from phxactor.endpoint._options import EndpointOptions
from phxactor.endpoint._serving import Serving
from phxactor.endpoint._tree import EndpointSupervisor
from phxactor.endpoint._worker import Worker
from phxactor.http import PeerData, Request, Response
from phxactor.net import Address, Path, Place, check_connected, check_context, check_listen, locate, peer_of
from phxactor.otp import ChildSpec, Error, Ignore, Ok
from phxactor.runtime import NoProcessError, Pid, current_runtime

IN_MEMORY: Final = PeerData("memory", 0)


class Endpoint(EndpointOptions):
    """Sockets, routes and static files on one address, with one PubSub: options that never change.

    Args:
        sockets: socket classes with their paths, each made by `mount`.
        routes: plain HTTP handlers, made by `get`, `post`, `route` or `static`; and web applications, made by
            `asgi` or `wsgi`. A `mount` among them counts as one of `sockets`, so that one call can bring a
            page with its socket, as `observer_routes` does.
        pubsub: a `PubSub("name")` that several endpoints, or other parts of a program, share. It must be a child of a
            supervisor, ahead of the endpoint. By default the endpoint starts a PubSub of its own.
        secret_key_base: the key that signs tokens, at least 20 bytes. By default, a new random key for each `Endpoint`.
        drain: how the endpoint lets its clients go when it stops.
        name: the registered name of the endpoint's supervisor; each endpoint of a runtime needs another one.
        host, port: the address to listen on, by default 127.0.0.1 and 4000; `start_link` and `child_spec` may override
            it. Port 0 means any free port, host `::` all addresses of this machine.
        path: the path of a Unix socket to listen on instead. A socket file without a listener is replaced.
        path_mode: the permissions of the socket file, by default 0o600: only its owner may connect.
        listen: sockets that listen already, such as those of systemd (`phxactor.systemd.sockets()`) or of a parent
            process. Unless the list is empty, they are used instead of host, port and path. They stay open, and stay
            the caller's: clients that come while the endpoint is stopped wait in their queues.
        tls: an SSL context for a server, with a certificate; with it, all connections are encrypted.
        trusted_proxies: the proxies in front of the endpoint: their addresses and networks, such as
            `["127.0.0.1", "10.0.0.0/8", "unix"]`. By X-Forwarded-For, -Proto and -Host they tell a client's address,
            scheme and host, which then count everywhere: in logs, limits, `connect_info`, the origin check and
            `request`. A `TrustedProxies` names another header. By default no proxy is trusted.
        hosts: the names and addresses, without ports, that may stand in a request's `Host`, such as `["shop.example"]`.
            A request for another host is answered 421, except on the health path. By default, any host is answered.
            But on a loopback address without TLS, `hosts` and `trusted_proxies`, `check_origin=True` allows pages of
            `localhost` and of IP addresses only, since any name can be resolved to this machine (DNS rebinding).
        health: a path that answers 200 `ready`, or 503 `draining` while the endpoint stops; to GET, HEAD and OPTIONS.
        max_connections: limit for open connections, long-poll sessions included. A connection over the limit is
            answered 503; under TLS it is closed without an answer. By default (None) only the system's file
            descriptors limit the number.
        max_connections_per_address: the same limit for one IPv4 address, or for the /64 of an IPv6 address; the
            answer is 429. Clients behind a proxy count as one address, unless it is trusted: then each request counts
            for its own client while it is answered, a WebSocket until it ends. A Unix socket that is not trusted is not
            counted here.
        request_timeout: seconds that a route's handler may take, unless the route has its own `timeout`. After that
            the server answers 503 and cancels the handler. `math.inf` for no limit.
        max_body_bytes: limit for a request's body in bytes, by default 10 MiB; a route or a mount may set its own. A
            request with a longer body is answered 413. The body of a request that is refused is not read.
        close_after_gap: whether all sockets are closed with 1012 a second after a gap: broadcasts of other nodes were
            lost, so clients connect, join and load anew. By default clients are not told, and channels that ask for it
            are (`phxactor.cluster.monitor_nodes`). Without a cluster it does nothing.

    Raises:
        ValueError: two sockets or two routes have one path; a port, a mode or an SSL context is not usable; both a
            path and a host or port are given.
        TypeError: an option has a wrong type.

    """

    __slots__ = ()

    # ---------------------------------------------------------------------------------------------- starting

    def child_spec(
        self,
        *,
        host: str | None = None,
        port: int | None = None,
        path: Path | None = None,
        listen: Sequence[socket.socket] = (),
        tls: ssl.SSLContext | None = None,
        server: bool = True,
    ) -> ChildSpec:
        """Return the child spec of the endpoint: it calls `start_link` with the same options.

        With port 0, a restart by the supervisor listens on the port that the first start has found, if it is free.
        """
        tls = self.tls if tls is None else check_context(tls)
        places = self._places(host, port, path, listen, secure=tls is not None) if server else ()
        return ChildSpec(id=self.name, start=(self._start_link, (places, tls), {}), type="supervisor")

    async def start_link(
        self,
        *,
        host: str | None = None,
        port: int | None = None,
        path: Path | None = None,
        listen: Sequence[socket.socket] = (),
        tls: ssl.SSLContext | None = None,
        server: bool = True,
    ) -> Ok[Pid] | Error | Ignore:
        """Start the endpoint's process tree, linked to the caller; by default on the address of the endpoint's options.

        With `server=False` the endpoint listens nowhere: for tests, and for programs whose clients all come by
        `serve_socket` or `serve_stream`.

        Returns `Error(("already_started", pid))` if a process has the endpoint's name in this runtime already; that
        process is left alone. Other errors are texts: the address is not available, or a shared PubSub does not run.
        """
        tls = self.tls if tls is None else check_context(tls)
        places = self._places(host, port, path, listen, secure=tls is not None) if server else ()
        return await self._start_link(places, tls)

    def places(
        self,
        *,
        host: str | None = None,
        port: int | None = None,
        path: Path | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> tuple[Place, ...]:
        """Return the places that it listens on if it is started with these options."""
        return self._places(host, port, path, (), secure=(tls or self.tls) is not None)

    def _places(
        self, host: str | None, port: int | None, path: Path | None, listen: Sequence[socket.socket], *, secure: bool
    ) -> tuple[Place, ...]:
        """Return the places to listen on: those that are given, else those of the endpoint's options."""
        where = locate(host, port, path, self.where)
        given = check_listen(listen)
        if not given and host is None and port is None and path is None:
            given = check_listen(self.listen)  # again, since they may have been closed
        if given:
            return tuple(Place.of(one, secure=secure) for one in given)
        return (Place(attrs.evolve(where, secure=secure), self.path_mode),)

    async def _start_link(self, places: tuple[Place, ...], tls: ssl.SSLContext | None) -> Ok[Pid] | Error | Ignore:
        if not self.own_pubsub and not self.pubsub.runs():
            return Error(
                f"the PubSub {self.pubsub.name!r} of the endpoint {self.name!r} does not run: "
                "make it a child of a supervisor, ahead of the endpoint"
            )
        serving = Serving(self, tls, Worker.found(current_runtime()))
        return await EndpointSupervisor.start_link(serving, places, name=self.name)

    # --------------------------------------------------------------------------------------- what runs of it

    def find(self) -> Serving | None:
        """Return the running server of this endpoint in the caller's runtime; None if the endpoint does not run there.

        Raises NotAProcessError if the caller is no process, unless exactly one runtime is open.
        """
        serving = Serving.found(self.name, current_runtime())
        return serving if serving is not None and serving.endpoint is self else None

    @property
    def serving(self) -> Serving:
        """The running server of this endpoint in the caller's runtime. Raises NoProcessError if it does not run."""
        serving = self.find()
        if serving is None:
            raise self._not_running()
        return serving

    def _not_running(self) -> NoProcessError:
        return NoProcessError(f"the endpoint {self.name!r} does not run: use phxactor.run(endpoint), or start_link()")

    @property
    def address(self) -> Address | None:
        """The address it listens on; None if started with `server=False`. Raises NoProcessError if it does not run."""
        return self.serving.address

    async def serve_socket(
        self, sock: socket.socket, peer: PeerData | None = None, *, received: bytes = b""
    ) -> Ok[Pid] | Error | Ignore:
        """Serve a client on a connected socket, as if the listener had accepted it; the socket is the endpoint's now.

        Args:
            sock: a connected stream socket, of TCP or Unix.
            peer: the address of the client; by default the system's.
            received: bytes that were read from the socket already. If the endpoint has TLS, they are encrypted.

        Raises:
            TypeError: `sock` is no socket.
            ValueError: `sock` is closed, listens, or is no stream socket.
            OSError: `sock` is not connected, and there is no `peer`.
            NoProcessError: the endpoint does not run.

        """
        check_connected(sock)
        if peer is None:
            peer = peer_of(sock.getpeername())
        if sock.family is not socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return await self._entrance().start(sock, peer, bytes(received))

    async def serve_stream(
        self, stream: trio.abc.Stream, peer: PeerData = IN_MEMORY, *, received: bytes = b"", secure: bool | None = None
    ) -> Ok[Pid] | Error | Ignore:
        """Serve a client on a trio stream, as if the listener had accepted it.

        Args:
            stream: a connected stream; for an encrypted one, the handshake is done, or done by the stream.
            peer: the address of the client.
            received: bytes that were read from the stream already.
            secure: whether the client's URLs are https and wss; by default if the endpoint has TLS.

        Raises NoProcessError if the endpoint does not run.
        """
        scheme: Scheme | None = None if secure is None else "https" if secure else "http"
        return await self._entrance().start(stream, peer, bytes(received), scheme)

    def _entrance(self) -> Entrance:
        entrance = Entrance.found(self.name, current_runtime())
        if entrance is None or entrance.serving.endpoint is not self:
            raise self._not_running()
        return entrance

    async def answer(self, request: Request) -> Response:
        """Answer a request that asks for no WebSocket, body included, without a connection: for tests.

        A route answers even if the endpoint does not run; a long poll and the health path raise NoProcessError then.
        """
        if request.path in self.longpolls or request.path == self.health:
            return await answers.answer(answers.own_answering_of(self.serving, request), request)
        return await answers.answer(answers.route_of(self, request), request)
