"""Letting a client in: from a request for a socket to its WebSocket, or to the answer that refuses it.

In this order: origin, handshake, query, version, `connect`, `identify`; the handshake is answered last (Phoenix 1.8).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import attrs

from phxactor.endpoint.connect_info import connect_info
from phxactor.otp import Error
from phxactor.runtime import Pid, self_pid
from phxactor.socket import Socket
from phxactor.socket.raw import RawSocket
from phxactor.socket.versions import select
from phxactor.transport import events
from phxactor.transport.connection import Connection
from phxactor.transport.handshake import Accepted, Refused, handshake
from phxactor.transport.multiplexed import MultiplexedWebSocket
from phxactor.transport.options import WebSocketOptions
from phxactor.transport.params import BadParams
from phxactor.transport.raw import RawWebSocket
from phxactor.transport.request import Request
from phxactor.transport.response import Response
from phxactor.transport.websocket import Link

if TYPE_CHECKING:
    from phxactor.endpoint.endpoint import Endpoint

FORBIDDEN: Final = Response(HTTPStatus.FORBIDDEN)


class _RefusedError(Exception):
    """The request does not become a WebSocket; carries the answer, and why, for the log."""

    def __init__(self, response: Response, why: str) -> None:
        super().__init__(why)
        self.response = response
        self.why = why


@attrs.frozen
class Upgrade:
    """One request for a socket; `decide` is run by the process that will be its transport."""

    endpoint: Endpoint
    handler: type[Socket | RawSocket]
    options: WebSocketOptions
    connection: Connection
    request: Request
    pid: Pid = attrs.field(init=False, factory=self_pid)
    began: float = attrs.field(init=False)

    @began.default
    def _now(self) -> float:
        return self.pid.runtime.now()

    async def decide(self) -> MultiplexedWebSocket | RawWebSocket | Response:
        """Let the client in, and answer its handshake; or return the answer that refuses it."""
        try:
            if not self.options.check_origin.allows(self.request):
                origin = self.request.header("origin")
                raise _RefusedError(FORBIDDEN, f"the origin {origin!r:.200} is not allowed")  # noqa: TRY301
            accepted = handshake(self.request, self.options)
            if isinstance(accepted, Refused):
                raise _RefusedError(accepted.response, accepted.why)  # noqa: TRY301
            return await self._let_in(accepted)
        except _RefusedError as refusal:
            if events.refused.handlers:
                events.refused.emit(
                    socket=self.handler.__name__, transport="websocket", peer=str(self.request.peer), why=refusal.why
                )
            return refusal.response

    async def _let_in(self, accepted: Accepted) -> MultiplexedWebSocket | RawWebSocket:
        try:
            params = self.request.params
        except BadParams as error:
            raise _RefusedError(Response.text(f"{error}\n", status=HTTPStatus.BAD_REQUEST), str(error)) from None
        info = connect_info(self.request, self.options, accepted.auth_token)
        if not issubclass(self.handler, Socket):
            raw = self.handler(endpoint=self.endpoint, transport="websocket", transport_pid=self.pid)
            await self._ask(lambda: raw.connect(params, info))
            await self.connection.send_all(accepted.head)
            return RawWebSocket(self._link(accepted, None), raw)
        socket = await self._connect(self.handler, params, info)
        await self.connection.send_all(accepted.head)
        if socket.id is not None:
            socket.pubsub_server.subscribe(socket.id)
        return MultiplexedWebSocket(
            self._link(accepted, socket.log_level),
            socket,
            lambda pid: self.endpoint.pool_of(socket.handler, pid),
            max_channels=self.options.max_channels,
            join_timeout=self.options.join_timeout,
        )

    async def _connect(self, handler: type[Socket], params: dict[str, Any], info: dict[str, object]) -> Socket:
        """Make the socket, and have the program decide."""
        serializer = select(params.get("vsn"), self.options.serializers)
        if serializer is None:
            raise _RefusedError(FORBIDDEN, f"the version {params.get('vsn')!r:.80} of the protocol is not spoken")
        socket = handler(
            endpoint=self.endpoint,
            pubsub=self.endpoint.pubsub,
            serializer=serializer,
            transport="websocket",
            transport_pid=self.pid,
        )
        # A connect may be written without connect_info; the class knows.
        arguments = (params, info) if handler.wants_connect_info else (params,)

        async def decide() -> object:
            result = await socket.connect(*arguments)
            socket.id = None if isinstance(result, Error) else socket.identify()
            return result

        await self._ask(decide)
        return socket

    async def _ask(self, connect: Callable[[], Awaitable[object]]) -> None:
        """Run the program's `connect`; a refusal or a failure of it is the answer to the request."""
        try:
            result = await connect()
            if not isinstance(result, Error):
                return
            reason = result.reason
            if self.options.error_handler is not None:
                answer = self.options.error_handler(self.request, reason)
            else:
                answer = FORBIDDEN
        except Exception as error:  # noqa: BLE001 - the failure of a program is told, and answered with 500
            if events.connect_failed.handlers:
                events.connect_failed.emit(
                    socket=self.handler.__name__, transport="websocket", peer=str(self.request.peer), exception=error
                )
            answer = Response(HTTPStatus.INTERNAL_SERVER_ERROR)
            raise _RefusedError(answer, "connect raised") from None
        raise _RefusedError(answer, f"connect refused: {reason!r:.200}")

    def _link(self, accepted: Accepted, level: int | None) -> Link:
        if events.connected.handlers:
            events.connected.emit(
                socket=self.handler.__name__,
                transport="websocket",
                peer=str(self.request.peer),
                seconds=self.pid.runtime.now() - self.began,
                level=level,
            )
        options = self.options
        return Link(
            pid=self.pid,
            connection=self.connection,
            flusher=self.endpoint.flusher,
            socket=self.handler.__name__,
            peer=str(self.request.peer),
            level=level,
            extensions=tuple(accepted.extensions),
            timeout=options.timeout,
            max_frame_size=options.max_frame_size,
            max_output_bytes=options.max_output_bytes,
        )
