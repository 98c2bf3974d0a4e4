"""The process of a connection: it speaks HTTP, and runs the WebSocket if a request upgrades the connection.

The process drops all HTTP state before the WebSocket begins: WebSockets live long, and the state would cost memory.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar

import trio

from phxactor.endpoint import _access as access
from phxactor.endpoint import events
from phxactor.endpoint._answers import application_of
from phxactor.endpoint._exchange import exchange
from phxactor.endpoint._gate import Gate
from phxactor.endpoint._upgrade import upgrade
from phxactor.gateway import ApplicationWebSocket, open_websocket
from phxactor.http import (
    HEAD_TIMEOUT,
    MUCH,
    BadRequest,
    HTTPConnection,
    PeerData,
    Request,
    Response,
    plain_upgrade,
)
from phxactor.net import (
    BaseConnection,
    Connection,
    ConnectionLimits,
    HandshakeError,
    StreamConnection,
    TooManyError,
    as_stream,
    shake_hands,
    without_proxy_header,
)
from phxactor.otp import Ok
from phxactor.runtime import Pid, lift_shields, self_pid
from phxactor.transport import MultiplexedWebSocket, RawWebSocket

if TYPE_CHECKING:
    from phxactor.endpoint._serving import Serving

T = TypeVar("T")

WITH_BODY: Final = Response.text("a request for a WebSocket has no body\n", status=HTTPStatus.BAD_REQUEST)

Accepted: TypeAlias = socket.socket | trio.abc.Stream
Scheme: TypeAlias = Literal["http", "https"]
Upgraded: TypeAlias = tuple[MultiplexedWebSocket | RawWebSocket | ApplicationWebSocket, bytes]
"""A WebSocket whose handshake is done, and the bytes that followed its request."""


def start_connection(
    serving: Serving, accepted: Accepted, peer: PeerData, received: bytes = b"", scheme: Scheme | None = None
) -> Ok[Pid]:
    """Start the process of a connection: a supervisor's start function, which must not wait.

    Args:
        serving: the endpoint.
        accepted: the connected socket or stream; it is closed at the end.
        peer: the address of the client.
        received: bytes that were read from it already; if the endpoint has TLS, those of a socket are encrypted.
        scheme: the scheme of the client's URLs; None for the endpoint's own.

    """
    supervisor = self_pid()
    start = supervisor.runtime.start
    if scheme is None:
        scheme = "http" if serving.tls is None else "https"
    if serving.limits is None:
        return Ok(start(supervisor, converse, (serving, accepted, peer, received, scheme), True, "Connection"))  # noqa: FBT003
    return Ok(start(supervisor, find_place, (serving, accepted, peer, received, scheme), True, "Connection"))  # noqa: FBT003


async def find_place(serving: Serving, accepted: Accepted, peer: PeerData, received: bytes, scheme: Scheme) -> None:
    """Run the process of a connection where connections are counted."""
    limits = serving.limits
    assert limits is not None  # noqa: S101 - see `start_connection`
    try:
        with limits.place(None if serving.shares(peer) else peer):
            conversation = converse(serving, accepted, peer, received, scheme)
            del received  # else this frame keeps the bytes for the life of the connection
            await conversation
    except TooManyError as error:
        if events.connection_refused.handlers:
            events.connection_refused.emit(peer=str(peer), status=int(error.status), why=error.why)
        await _refuse(serving, limits, accepted, error.status)


async def _refuse(serving: Serving, limits: ConnectionLimits, accepted: Accepted, status: HTTPStatus) -> None:
    """Refuse a client: with an answer, but under TLS without one, since the handshake is the most costly part."""
    if isinstance(accepted, socket.socket) and serving.tls is not None:
        accepted.close()
    else:
        await limits.refuse(_plain(serving, accepted), status)


async def converse(serving: Serving, accepted: Accepted, peer: PeerData, received: bytes, scheme: Scheme) -> None:
    """Run the process of a connection: serve its client until the client leaves."""
    if serving.tls is None or not isinstance(accepted, socket.socket):
        connection = _plain(serving, accepted)
    else:
        stream, received = as_stream(accepted, received), b""
        try:
            connection = await serving.while_fresh(shake_hands(stream, serving.tls, serving.flusher))
        except HandshakeError as error:
            if events.handshake_failed.handlers:
                events.handshake_failed.emit(peer=str(peer), why=str(error))
            return
        del stream
    del accepted
    try:
        upgraded = await _speak_http(serving, connection, peer, received, scheme)
    except BaseException:
        serving.flusher.finish(connection)
        raise
    if upgraded is None:
        serving.flusher.finish(connection)
    else:
        websocket, first = upgraded
        del upgraded, received
        await websocket.run(first)


def _plain(serving: Serving, accepted: Accepted) -> BaseConnection:
    """Return the connection object for a socket without TLS, or for a stream."""
    if isinstance(accepted, socket.socket):
        return Connection(accepted, serving.flusher, serving.reader)
    return StreamConnection(accepted, serving.flusher)


async def _speak_http(
    serving: Serving, connection: BaseConnection, peer: PeerData, received: bytes, scheme: Scheme
) -> Upgraded | None:
    """Answer requests until the client sends no more (return None), or a request has become a WebSocket."""
    # `first` nearly always holds the whole head of a request.
    first = received or await serving.while_fresh(connection.receive_first(HEAD_TIMEOUT))
    if not first:
        return None
    answer: Response | None = None
    gate = Gate(serving, peer) if serving.gated else None
    if len(first) > MUCH:
        await serving.flusher.wait_for_turn()
    if (plain := plain_upgrade(first, peer, scheme)) is not None:
        request, rest = plain
        if gate is not None:
            request, answer = gate.admit(request)
        if answer is None:
            made = await _upgrade(serving, connection, request)
            if made is not None and not isinstance(made, Response):
                return made, rest
            answer = made
    talk = HTTPConnection(
        connection,
        peer=peer,
        scheme=scheme,
        first=first,
        move_on_after=self_pid().runtime.patience.move_on_after,
        wait_for_turn=serving.flusher.wait_for_turn,
    )
    hint = without_proxy_header(first)
    return await _talk(serving, connection, talk, peer, gate=gate, answer=answer, hint=hint)


async def _talk(
    serving: Serving,
    connection: BaseConnection,
    talk: HTTPConnection,
    peer: PeerData,
    *,
    gate: Gate | None,
    answer: Response | None,
    hint: str,
) -> Upgraded | None:
    """Answer requests, the first of them by `answer` if it is judged already; else as `_speak_http` does.

    The log has `hint` beside a client's mistake.
    """
    asked: Request | None = None
    client = peer
    is_first = True
    try:
        while (asked := await _next_request(serving, talk, is_first=is_first)) is not None:
            is_first = False
            began = self_pid().runtime.now()
            if gate is not None:
                asked, answer = gate.admit(asked) if answer is None else (gate.as_sent(asked), answer)
                client = asked.peer
            if answer is None and talk.has_body and asked.path in serving.endpoint.websockets:
                answer = WITH_BODY
            if answer is None:
                made = await _upgrade(serving, connection, asked)
                if made is not None and not isinstance(made, Response):
                    return made, talk.trailing()
                answer = made
            try:
                if answer is not None:
                    await talk.respond(answer)
                    answer = None
                else:
                    await exchange(serving, connection, talk, asked)
                    lift_shields()
            finally:
                if events.request.handlers and asked.path != serving.endpoint.health:
                    access.tell_exchange(serving, asked, talk, began)
            asked = None
            if gate is not None:
                gate.leave()
                client = peer
    except BadRequest as bad:
        if events.request.handlers and asked is None and talk.status:
            access.tell(serving, None, client, self_pid().runtime.now(), talk.status, size=talk.body_bytes)
        if events.bad_request.handlers:
            events.bad_request.emit(peer=str(client), status=int(bad.status), why=bad.why + hint)
    return None


async def _next_request(serving: Serving, talk: HTTPConnection, *, is_first: bool) -> Request | None:
    """Return the next request; None if there is none. The first one is taken also while the endpoint drains."""
    if is_first:
        return await serving.while_fresh(talk.next_request())
    return None if serving.draining else await serving.while_idle(talk.next_request())


async def _upgrade(
    serving: Serving, connection: BaseConnection, request: Request
) -> MultiplexedWebSocket | RawWebSocket | ApplicationWebSocket | Response | None:
    """Return the WebSocket that a request asked for, or the refusal; None if the path is for none."""
    opening: Awaitable[MultiplexedWebSocket | RawWebSocket | ApplicationWebSocket | Response]
    mount = serving.endpoint.websockets.get(request.path)
    if mount is not None and mount.websocket is not None:
        opening = upgrade(serving, mount.handler, mount.websocket, connection, request)
    elif (
        serving.applications
        and _asks_for_websocket(request)
        and (hosted := application_of(serving, request)) is not None
        and hosted.application.websockets
    ):
        opening = open_websocket(hosted, connection, request)
    else:
        return None
    if not (events.request.handlers or events.request_started.handlers):
        return await opening
    if events.request_started.handlers:
        access.begin(serving, request)
    began, made, status = self_pid().runtime.now(), None, 0
    try:
        made = await opening
        status = HTTPStatus.SWITCHING_PROTOCOLS
    finally:
        if not isinstance(made, Response):  # a response is still to be sent
            access.tell(serving, request, request.peer, began, status or access.status_of_end())
    return made


def _asks_for_websocket(request: Request) -> bool:
    """Say whether a request without a body asks for a WebSocket; one with a body stays a request of HTTP."""
    has_body = request.header("transfer-encoding") is not None or request.header("content-length") not in (None, "0")
    return "websocket" in (request.header("upgrade") or "").lower() and not has_body
