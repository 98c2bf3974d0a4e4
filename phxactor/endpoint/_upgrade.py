"""From an upgrade request to the WebSocket, or to the refusal. The handshake is answered after `connect` has run."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from phxactor.endpoint._admission import Admission, RefusedError, tell_answered
from phxactor.http import Request, Response, last_answer
from phxactor.net import BaseConnection
from phxactor.runtime import self_pid
from phxactor.socket import RawSocket, Socket
from phxactor.transport import (
    Accepted,
    Attended,
    MultiplexedWebSocket,
    RawWebSocket,
    Refused,
    Upgraded,
    WebSocketOptions,
    handshake,
)

if TYPE_CHECKING:
    from phxactor.endpoint._serving import Serving


async def upgrade(
    serving: Serving,
    handler: type[Socket | RawSocket],
    options: WebSocketOptions,
    connection: BaseConnection,
    request: Request,
) -> MultiplexedWebSocket | RawWebSocket | Response:
    """Admit the client, answer its handshake and return the WebSocket; or return the response that refuses it."""
    admission = Admission(serving, handler, options, request, "websocket", options.error_handler)
    began = self_pid().runtime.now()
    try:
        admission.check_origin()
        accepted = handshake(request, options)
        if isinstance(accepted, Refused):
            raise RefusedError(accepted.response, accepted.why)  # noqa: TRY301 - one way to refuse
        socket = await Attended(
            admission.connect(accepted.auth_token),
            connection,
            options.connect_timeout,
            lambda: _too_late(admission, options, connection, began),
        )
    except RefusedError as refused:
        admission.tell_refused(refused.why)
        tell_answered(options, request, "websocket", began, refused.response.status)
        return refused.response
    upgraded = _upgraded(admission, options, accepted, connection, socket)
    upgraded.since = began
    admission.tell_connected(upgraded.pid, began, upgraded.level)
    connection.write(accepted.head)
    tell_answered(options, request, "websocket", began, HTTPStatus.SWITCHING_PROTOCOLS)
    if not isinstance(socket, Socket):
        return RawWebSocket(upgraded, socket)
    return MultiplexedWebSocket(upgraded, socket, serving.pool_of)


def _too_late(admission: Admission, options: WebSocketOptions, connection: BaseConnection, began: float) -> None:
    """Answer 503 for a `connect` that takes too long, and close; `connect` itself may still run."""
    status = HTTPStatus.SERVICE_UNAVAILABLE
    connection.write(last_answer(status))
    admission.serving.flusher.finish(connection)
    admission.tell_late(options.connect_timeout)
    tell_answered(options, admission.request, "websocket", began, status)


def _upgraded(
    admission: Admission,
    options: WebSocketOptions,
    accepted: Accepted,
    connection: BaseConnection,
    socket: Socket | RawSocket,
) -> Upgraded:
    return Upgraded(
        pid=socket.transport_pid,
        connection=connection,
        flusher=admission.serving.flusher,
        socket=admission.handler.__name__,
        peer=admission.peer,
        level=socket.log_level if isinstance(socket, Socket) else None,
        extensions=tuple(accepted.extensions),
        options=options,
    )
