"""Admission of a client on any transport: origin, query, version, `connect` and `identify`, in this order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import attrs

from phxactor.cluster import LocalNode
from phxactor.endpoint._connect_info import connect_info, session_of
from phxactor.endpoint._refused_origin import why_not_local, why_refused
from phxactor.http import BadParams, CookieSession, Params, Request, Response, SessionOptions, cannot_be_rebound
from phxactor.otp import Error, Ok
from phxactor.runtime import Pid, explain, fork, is_cancellation, lift_shields, self_pid
from phxactor.socket import LEVELS, RawSocket, Socket, select
from phxactor.telemetry import brief
from phxactor.transport import SocketOptions, events

if TYPE_CHECKING:
    from phxactor.endpoint._options import EndpointOptions
    from phxactor.endpoint._serving import Serving
    from phxactor.transport import ErrorHandler

FORBIDDEN: Final = Response(HTTPStatus.FORBIDDEN)


class RefusedError(Exception):
    """The client is refused: carries the HTTP response, and the reason for the log."""

    def __init__(self, response: Response, why: str, error: Error | None = None) -> None:
        super().__init__(why)
        self.response = response
        self.why = why
        self.error = error
        """The `Error` that `connect` returned; None if something else refused the client."""


@attrs.define(eq=False)
class Admission:
    """One client's request for a socket."""

    serving: Serving
    handler: type[Socket | RawSocket]
    options: SocketOptions
    request: Request
    transport: str
    """`"websocket"` or `"longpoll"`."""
    error_handler: ErrorHandler | None = None
    peer: str = attrs.field(init=False)
    """The address of the client, for the log."""

    @peer.default
    def _peer(self) -> str:
        return str(self.request.peer)

    @property
    def endpoint(self) -> EndpointOptions:
        """The options of the endpoint that the socket belongs to."""
        return self.serving.endpoint

    def check_origin(self) -> None:
        """Raise RefusedError if `check_origin` does not allow the origin of the request, or raises.

        On an endpoint that listens on a loopback address, `check_origin=True` allows local pages only.
        """
        request, check = self.request, self.options.check_origin
        if request.header("origin") is None:
            return
        try:
            allowed = check.allows(request)
        except BaseException as error:
            raise self._failed(error) from error
        if not allowed:
            raise RefusedError(FORBIDDEN, why_refused(check, request, self.endpoint.trusted_proxies))
        if self.serving.is_local and check.compares_hosts and not cannot_be_rebound(request):
            raise RefusedError(FORBIDDEN, why_not_local(request))

    async def connect(self, auth_token: str | None) -> Socket | RawSocket:
        """Create the socket and call the program's `connect`; runs in the process that becomes its transport.

        Raises:
            RefusedError: the client is refused, or a callback of the program raised.

        """
        if issubclass(self.handler, Socket):
            return await self.connect_multiplexed(self.handler, auth_token)
        return await self.connect_raw(self.handler, auth_token)

    async def connect_multiplexed(self, handler: type[Socket], auth_token: str | None) -> Socket:
        """Connect a socket with channels, as `connect` does; also subscribe the transport to the socket's id."""
        params = self._params()
        serializer = select(params.get("vsn"), self.options.serializers)
        if serializer is None:
            raise RefusedError(FORBIDDEN, f"no serializer speaks the protocol version {params.get('vsn')!r:.80}")
        endpoint = self.serving.endpoint
        socket = handler(
            endpoint=endpoint,
            pubsub=endpoint.pubsub,
            serializer=serializer,
            transport=self.transport,
            transport_pid=self_pid(),
        )
        info = self.connect_info(auth_token)
        if self.options.session is not None and "session" not in info:
            info["session"] = await self.session(self.options.session)
        await self._ask(lambda: self.decide(socket, params, info))
        if socket.id is not None:
            socket.pubsub_server.subscribe(socket.id)
            if LocalNode.found(socket.transport_pid.runtime) is not None:
                await socket.pubsub_server.confirmed(socket.id)  # so that other nodes can disconnect it
        if self.serving.sockets is not None:
            self.serving.sockets.add(socket.transport_pid)
        return socket

    async def connect_raw(self, handler: type[RawSocket], auth_token: str | None) -> RawSocket:
        """Connect a socket without channels, as `connect` does."""
        params = self._params()
        info = self.connect_info(auth_token)
        if self.options.session is not None:
            info["session"] = await self.session(self.options.session)
        raw = handler(endpoint=self.endpoint, transport=self.transport, transport_pid=self_pid())
        await self._ask(lambda: raw.connect(params, info))
        if self.serving.sockets is not None:
            self.serving.sockets.add(raw.transport_pid)
        return raw

    async def decide(self, socket: Socket, params: Params, info: dict[str, object]) -> object:
        """Return the result of the socket's `connect`; unless it is an `Error`, set the socket's id by `identify`."""
        # A program may write `connect` without the parameter connect_info; wants_connect_info says which it is.
        result = await socket.connect(*((params, info) if socket.wants_connect_info else (params,)))
        socket.id = None if isinstance(result, Error) else _identified(socket)
        return result

    def connect_info(self, auth_token: str | None) -> dict[str, object]:
        """Return the `connect_info` argument of `connect`."""
        return connect_info(self.request, self.options, auth_token)

    async def session(self, options: SessionOptions | CookieSession) -> object:
        """Return the client's session; None without a valid one, or if the program's function raises.

        In the last case, emit `events.session_failed`.
        """
        try:
            return await session_of(self.request, options, self.endpoint.secret_key_base)
        except BaseException as error:  # the program's own: the client is answered with 500
            if not self_pid().alive or is_cancellation(error):
                raise
            fork.leave(error)
            explain(error)
            if events.session_failed.handlers:
                events.session_failed.emit(
                    socket=self.handler.__name__, transport=self.transport, peer=self.peer, error=error
                )
            return None

    def tell_connected(self, pid: Pid, began: float, level: int | None, by: Pid | None = None) -> None:
        """Emit `events.connected`.

        `began` is the time of the runtime's clock at which the request came, in seconds; `by` the process of that
        request, if it is another than the transport's.
        """
        if events.connected.handlers:
            events.connected.emit(
                socket=self.handler.__name__,
                transport=self.transport,
                peer=self.peer,
                seconds=pid.runtime.now() - began,
                level=level,
                by=by or pid,
            )

    def tell_refused(self, why: str) -> None:
        """Emit `events.refused` with the reason."""
        if events.refused.handlers:
            events.refused.emit(socket=self.handler.__name__, transport=self.transport, peer=self.peer, why=why)

    def tell_late(self, seconds: float) -> None:
        """Emit `events.late` and `events.refused`: `connect` has not returned within `seconds`."""
        if events.late.handlers:
            events.late.emit(socket=self.handler.__name__, peer=self.peer, callback="connect", seconds=seconds)
        self.tell_refused("connect took too long")

    def _params(self) -> Params:
        try:
            return self.request.params
        except BadParams as error:
            raise RefusedError(Response.text(f"{error}\n", status=HTTPStatus.BAD_REQUEST), str(error)) from None

    async def _ask(self, connect: Callable[[], Awaitable[object]]) -> None:
        """Await the program's `connect`; if it refuses or raises, raise RefusedError with the response."""
        try:
            result = await connect()
            lift_shields()
            if result is None or isinstance(result, Ok):
                return
            if not isinstance(result, Error):  # for one, a program that returns False to refuse must not admit clients
                raise TypeError(f"connect must return Ok(), None or Error(reason); got {brief(result):.200}")  # noqa: TRY301
            reason = result.reason
            answer = FORBIDDEN
            if self.error_handler is not None and reason is not None:
                answer = self.error_handler(self.request, reason)
                if not isinstance(answer, Response):
                    raise TypeError(f"error_handler must return a Response; got {brief(answer):.200}")  # noqa: TRY301
        except BaseException as error:
            if not self_pid().alive:
                raise
            raise self._failed(error) from error
        raise RefusedError(answer, f"connect refused: {brief(reason):.200}", result)

    def _failed(self, error: BaseException) -> RefusedError:
        """Emit `events.connect_failed` for an exception of a program's callback; return the refusal, a 500."""
        fork.leave(error)
        explain(error)
        if events.connect_failed.handlers:
            events.connect_failed.emit(
                socket=self.handler.__name__,
                transport=self.transport,
                peer=self.peer,
                exception=error,
            )
        return RefusedError(Response(HTTPStatus.INTERNAL_SERVER_ERROR), "connect raised")


def _identified(socket: Socket) -> str | None:
    """Return the socket's id by `identify`: the topic that disconnects it. Raises TypeError unless text or None."""
    name: object = socket.identify()
    if name is not None and not isinstance(name, str):
        raise TypeError(f"identify must return text or None; got {brief(name):.200}")
    return name


def tell_answered(options: SocketOptions, request: Request, transport: str, began: float, status: int) -> None:
    """Emit `events.answered` for a request on a transport's path, if the option `transport_log` sets a level."""
    level = options.transport_log
    if level is not False and events.answered.handlers:
        events.answered.emit(
            method=request.method,
            path=request.raw_path,
            transport=transport,
            peer=str(request.peer),
            status=int(status),
            seconds=self_pid().runtime.now() - began,
            level=LEVELS[level],
        )
