"""Opening an application's WebSocket: the handshake is answered when the application has accepted."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from phxactor.gateway._request_process import run_websocket
from phxactor.gateway._serve import STARTING
from phxactor.gateway._websocket_talk import WebSocketTalk
from phxactor.runtime import own, self_pid
from phxactor.socket import DRAIN
from phxactor.transport import Refused, handshake

if TYPE_CHECKING:
    from phxactor.gateway._app_websocket import ApplicationWebSocket
    from phxactor.gateway._hosted import HostedApplication
    from phxactor.http import Request, Response
    from phxactor.net import BaseConnection


async def open_websocket(
    hosted: HostedApplication, connection: BaseConnection, request: Request
) -> ApplicationWebSocket | Response:
    """Let the application decide about a client: return the WebSocket, or the response that refuses it."""
    accepted = handshake(request, hosted.websocket_options)
    if isinstance(accepted, Refused):
        return accepted.response
    if not hosted.ready:
        return STARTING
    talk = WebSocketTalk(hosted, connection, request, accepted)
    me = self_pid()
    pid = me.runtime.start(me, run_websocket, (hosted, talk), False, "Request")  # noqa: FBT003
    pid.label = f"WebSocket {request.path}"
    hosted.websockets.add(pid)
    own(pid, hosted.websockets.discard)
    own(pid, talk.ended)
    stop = connection.watch(talk.client_left)
    try:
        while not talk.over:
            if await me.receive_matching(lambda message: message is talk or message is DRAIN) is DRAIN:
                talk.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "the server stops\n")
    except BaseException:
        talk.client_left()
        raise
    finally:
        stop()
        me.flush(lambda message: message is talk)
    if talk.websocket is not None:
        return talk.websocket
    return STARTING if talk.answer is None else talk.answer
