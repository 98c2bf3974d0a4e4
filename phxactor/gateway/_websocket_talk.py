"""One WebSocket of an application: the `receive` and `send` that its process calls.

    connecting ── websocket.accept ─────────▶ open ── websocket.close, or the client closes or is lost ──▶ closed
        ├─ websocket.close ─────────────────▶ refused with 403
        ├─ websocket.http.response.start … ─▶ refused with that answer
        └─ the client leaves ───────────────▶ closed

The connection's process makes the handshake and reads the frames (`ApplicationWebSocket`). Messages that came before
the close are received before `websocket.disconnect`, which is then received for ever. `send` waits while too much
output waits for the client, and raises an `OSError` once the client is gone.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, final

import trio

from phxactor.gateway._app_websocket import ApplicationWebSocket
from phxactor.gateway._types import ClientDisconnectedError, Message
from phxactor.http import SEND_TIMEOUT, Request, Response
from phxactor.runtime import Pid, self_pid
from phxactor.socket import BINARY, TEXT
from phxactor.transport import Accepted, CloseCode, Upgraded

if TYPE_CHECKING:
    from phxactor.gateway._hosted import HostedApplication
    from phxactor.net import BaseConnection

AHEAD: Final = 65536
"""Bytes of output that may wait for the client before `send` waits too."""
MAX_DENIAL: Final = 1024 * 1024
"""Most bytes of the body of an answer that refuses a WebSocket."""
LOST: Final = 1006
"""The close code of a client that left without a close frame (RFC 6455 section 7.4.1)."""

_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_HANDSHAKE: Final = frozenset(
    {b"sec-websocket-accept", b"sec-websocket-extensions", b"sec-websocket-protocol", b"upgrade", *_FRAMING}
)


class State(Enum):
    """How far a WebSocket is; see the table above."""

    CONNECTING = auto()
    REFUSING = auto()
    OPEN = auto()
    CLOSED = auto()


@final
class WebSocketTalk:
    """The conversation about one WebSocket."""

    def __init__(
        self, hosted: HostedApplication, connection: BaseConnection, request: Request, accepted: Accepted
    ) -> None:
        """Begin; the caller is the connection's process."""
        self._hosted = hosted
        self._connection = connection
        self._accepted = accepted
        self._owner: Pid = self_pid()
        self._state = State.CONNECTING
        self._inbox: deque[tuple[Message, int]] = deque([({"type": "websocket.connect"}, 0)])
        self._gone: Message | None = None
        """The message that follows the last one, for ever; None while the client is there."""
        self._changed: trio.Event | None = None
        self._denial: Message = {}
        self._denial_body = bytearray()
        self.request = request
        self.websocket: ApplicationWebSocket | None = None
        """The connection's side, once the application has accepted."""
        self.answer: Response | None = None
        """The answer that refuses the client; None while there is none."""
        self.complete = False
        self.heard = 0.0
        """When the client left, by the runtime's clock."""

    @property
    def begun(self) -> bool:
        """Whether the application has decided."""
        return self._state is not State.CONNECTING

    @property
    def left(self) -> bool:
        """Whether the client has left."""
        return self._gone is not None

    @property
    def over(self) -> bool:
        """Whether the connection's process need not wait any longer for a decision."""
        return self.answer is not None or self.websocket is not None or self._gone is not None

    # ---------------------------------------------------------------------------------------------- receive

    async def receive(self) -> Message:
        """Return the client's next message, or `websocket.disconnect`: ASGI's `receive`."""
        while not self._inbox:
            if self._gone is not None:
                return self._gone
            if self._changed is None:
                self._changed = trio.Event()
            await self._changed.wait()
        message, size = self._inbox.popleft()
        if size and self.websocket is not None:
            self.websocket.make_room(size)
        return message

    def put(self, message: str | bytes, size: int) -> None:
        """Take a message of the client, which counts `size` bytes."""
        kind = "text" if isinstance(message, str) else "bytes"
        self._inbox.append(({"type": "websocket.receive", kind: message}, size))
        self._tell()

    def disconnected(self, code: int, reason: str) -> None:
        """Note that the connection has ended; only the first call counts."""
        if self._gone is None:
            self._gone = {"type": "websocket.disconnect", "code": code, "reason": reason}
            self._state = State.CLOSED
            self.heard = self._owner.runtime.now()
            self._tell()
            self._owner.send(self)

    def client_left(self) -> None:
        """Note that the client has left before the application has decided."""
        self.disconnected(LOST, "")

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    # ------------------------------------------------------------------------------------------------- send

    async def send(self, message: Message) -> None:
        """Accept, refuse, send or close: ASGI's `send`.

        Raises:
            ClientDisconnectedError: the client has left.
            RuntimeError: the message is not allowed now.

        """
        kind = message["type"]
        if self._state is State.OPEN and kind == "websocket.send":
            await self._send(message)
        elif self._state is State.OPEN and kind == "websocket.close":
            self.close(message.get("code") or 1000, message.get("reason") or "")
        elif self._state is State.CONNECTING and kind == "websocket.accept":
            self._accept(message)
        elif self._state is State.CONNECTING and kind == "websocket.close":
            self._refuse(Response.text("the application refuses the WebSocket\n", status=HTTPStatus.FORBIDDEN))
        elif self._state is State.CONNECTING and kind == "websocket.http.response.start":
            self._denial = message
            self._state = State.REFUSING
        elif self._state is State.REFUSING and kind == "websocket.http.response.body" and self.answer is None:
            self._deny(message)
        elif self._gone is not None:
            raise ClientDisconnectedError("the client has left")
        else:
            raise RuntimeError(f"unexpected ASGI message {kind!r}: the WebSocket is {self._state.name.lower()}")

    async def _send(self, message: Message) -> None:
        text, websocket = message.get("text"), self.websocket
        assert websocket is not None  # noqa: S101 - the state is OPEN
        if text is not None:
            websocket.send(TEXT, text.encode())
        else:
            websocket.send(BINARY, bytes(message["bytes"]))
        connection = self._connection
        if connection.size > AHEAD and not await self._hosted.flusher.drained(connection, AHEAD, SEND_TIMEOUT):
            websocket.lose()
        if self._gone is not None:
            raise ClientDisconnectedError("the client has left")

    def _accept(self, message: Message) -> None:
        """Complete the handshake. Raises RuntimeError for headers that are not valid."""
        pairs = [(bytes(name).lower(), bytes(value)) for name, value in message.get("headers") or ()]
        pairs = [(name, value) for name, value in pairs if name not in _HANDSHAKE]
        subprotocol = message.get("subprotocol")
        if subprotocol is not None:
            pairs.append((b"sec-websocket-protocol", subprotocol.encode("latin-1")))
        try:
            headers = Response(200, headers=pairs).headers
        except ValueError as error:
            raise RuntimeError(f"the head of the answer breaks HTTP: {error}") from None
        more = b"".join(b"%b: %b\r\n" % header for header in headers)
        self._connection.write(self._accepted.head[:-2] + more + b"\r\n")
        self._state = State.OPEN
        upgraded = Upgraded(
            pid=self._owner,
            connection=self._connection,
            flusher=self._hosted.flusher,
            socket=f"application {self._hosted.application.path}",
            peer=str(self.request.peer),
            level=None,
            extensions=tuple(self._accepted.extensions),
            options=self._hosted.websocket_options,
        )
        self.websocket = ApplicationWebSocket(upgraded, self)
        self._owner.send(self)

    def _deny(self, message: Message) -> None:
        """Take a part of the answer that refuses the client (extension `websocket.http.response`)."""
        self._denial_body += message.get("body", b"")
        if len(self._denial_body) > MAX_DENIAL:
            raise RuntimeError(f"the answer that refuses a WebSocket has more than {MAX_DENIAL} bytes")
        if not message.get("more_body", False):
            pairs = [(bytes(name).lower(), bytes(value)) for name, value in self._denial.get("headers") or ()]
            pairs = [(name, value) for name, value in pairs if name not in _FRAMING]
            try:
                answer = Response(self._denial["status"], bytes(self._denial_body), pairs)
            except ValueError as error:
                raise RuntimeError(f"the answer breaks HTTP: {error}") from None
            self._refuse(answer)

    def _refuse(self, answer: Response) -> None:
        self._state = State.CLOSED
        self.answer = answer
        self._gone = {"type": "websocket.disconnect", "code": LOST, "reason": ""}
        self._tell()
        self._owner.send(self)

    def close(self, code: int, reason: str) -> None:
        """Close an open WebSocket."""
        if self.websocket is not None:
            self.websocket.close(code, reason)

    def fail(self) -> None:
        """Answer 500, or close with 1011: the application has failed."""
        self.refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "internal server error\n")

    def refuse(self, status: HTTPStatus, text: str) -> None:
        """Answer in place of the application if it has not decided, else close with 1011."""
        if self.answer is None and self._gone is None and self.websocket is None:
            self._refuse(Response.text(text, status=status))
        else:
            self.close(CloseCode.INTERNAL_ERROR, "")

    def ended(self, _: Pid) -> None:
        """Note that the application's process has ended."""
        if self._state is State.OPEN:
            self.close(CloseCode.NORMAL, "")
        else:
            self.fail()
