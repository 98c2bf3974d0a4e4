"""The connection's side of an application's WebSocket: reads frames, and closes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import trio

from phxactor.runtime import NORMAL, Reason, State, set_port
from phxactor.socket import DRAIN, TEXT
from phxactor.transport import CloseCode, ReadAheadWebSocket, Upgraded, close_code, events, frame

if TYPE_CHECKING:
    from phxactor.gateway._websocket_talk import WebSocketTalk

CLOSE: Final = 8
"""The opcode of a close frame."""
PING: Final = frame(9, b"")
"""An empty ping."""
LOST: Final = 1006
"""The close code of a client that left without a close frame (RFC 6455 section 7.4.1)."""
REASON: Final = 123
"""Most bytes of a close frame's reason (RFC 6455 section 5.5)."""


@final
class ApplicationWebSocket(ReadAheadWebSocket):
    """The connection of an application's WebSocket."""

    __slots__ = ("_code", "_pinged", "_reading", "_talk", "_text")

    def __init__(self, upgraded: Upgraded, talk: WebSocketTalk) -> None:
        super().__init__(upgraded)
        self._talk = talk
        self._reading: trio.CancelScope | None = None
        self._code = LOST
        """The close code that the application is told."""
        self._text = ""
        """The close reason that the application is told."""
        self._pinged = 0.0
        """When the client was pinged last."""

    async def run(self, first: bytes) -> None:
        """Run the process; `first` holds the bytes that followed the handshake's request."""
        set_port(self._told)
        if events.connected.handlers:
            upgraded = self.upgraded
            events.connected.emit(
                socket=upgraded.socket,
                transport="websocket",
                peer=upgraded.peer,
                seconds=0.0,
                level=upgraded.level,
                by=self.pid,
            )
        reason: Reason = NORMAL
        try:
            with trio.CancelScope() as self._reading:
                if not self.input_closed:
                    await self.read(first)
        finally:
            if self.pid.state is not State.ALIVE:
                reason = self.pid.exit_reason
                self._code = close_code(reason)
            self._reading = None
            self._talk.disconnected(self._code, self._text)
            self._talk.websocket = None  # else the two would keep each other
            self.finish(reason)

    def _told(self, message: object) -> None:
        """Handle a message to the process: the drainer's."""
        if message is DRAIN:
            self.close(CloseCode.RESTART, "")

    def take_message(self, opcode: int, data: bytes) -> None:
        """Give a message to the application."""
        try:
            message = data.decode() if opcode == TEXT else data
        except UnicodeDecodeError as error:
            self.blame(f"text is not UTF-8 at byte {error.start}", CloseCode.INVALID_DATA)
            self.close(CloseCode.INVALID_DATA, "")
            return
        self._talk.put(message, self.count(message))

    def close(self, code: int, reason: str) -> None:
        """Send a close frame, and end."""
        self._code, self._text = code, reason
        self.input_closed = True
        if not self.closing:
            self.seal()
            text = reason.encode()[:REASON].decode(errors="ignore")
            self.write(frame(CLOSE, code.to_bytes(2, "big") + text.encode()))
        self.end(NORMAL)

    def lose(self) -> None:
        """End without a close frame: the client takes nothing."""
        self.seal()
        self._connection.abort()
        self.end(NORMAL)

    def respond(self, data: bytes, *, last: bool) -> None:
        """Send a pong; or the close frame that answers the client's or its mistake, and end."""
        if last:
            received = None if self._protocol is None else self._protocol.close_rcvd
            if received is not None:
                self._code, self._text = received.code, received.reason
            else:
                self._code, self._text = int.from_bytes(data[2:4], "big"), data[4:].decode(errors="replace")
        super().respond(data, last=last)

    def end(self, reason: Reason) -> None:
        """End the reading, and with it the connection."""
        self.input_closed = True
        self._talk.disconnected(self._code, self._text)
        if self._reading is not None:
            self._reading.cancel(reason="the WebSocket has ended")

    def stop(self, reason: Reason) -> None:
        """Close with the code of a reason."""
        self.close(close_code(reason), "")

    def client_left(self) -> None:
        """Tell the application at once, although it has not taken all messages."""
        self._talk.disconnected(LOST, "")

    def check_silence(self) -> None:
        """Ping a client that has been silent for half the time; close when all of it is over."""
        limit = 2 * self.upgraded.options.timeout
        silent = self._now() - self._heard
        if silent < limit / 2:
            self._arm(limit / 2 - silent)
        elif silent < limit:
            if self._pinged <= self._heard and not self.closing:
                self._pinged = self._now()
                self.write(PING)
            self._arm(limit - silent)
        else:
            self.blame(f"it was silent for {limit:g} s", CloseCode.PROTOCOL_ERROR)
            self._code = LOST
            self.lose()
