"""The output of a WebSocket connection, its close, and the check for silence.

After a close frame, nothing more is sent. The flusher writes the rest of the output and closes the connection.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Final

import attrs
from websockets.extensions import Extension
from websockets.frames import Frame, Opcode

from phxactor.net import BaseConnection, Flusher
from phxactor.runtime import NORMAL, Pid, Reason, State, Timer, fatal, reason_of_failure
from phxactor.transport import events
from phxactor.transport._close_codes import BAD_MESSAGE, SLOW_CONSUMER, TIMED_OUT, CloseCode, close_code
from phxactor.transport._frames import frame
from phxactor.transport._options import WebSocketOptions

CLOSE: Final = 8
"""The opcode of a close frame."""


@attrs.define(eq=False)  # not frozen: each connection makes one, and a frozen class is slower to make
class Upgraded:
    """The parts that a WebSocket is made of once the handshake is done."""

    pid: Pid
    """The process of the connection."""
    connection: BaseConnection
    flusher: Flusher
    socket: str
    """The name of the socket's class, for the log."""
    peer: str
    """The client's address, for the log."""
    level: int | None
    """The level of the log lines for connections; None for no lines."""
    extensions: Sequence[Extension]
    """The negotiated extensions: none, or permessage-deflate."""
    options: WebSocketOptions
    since: float = 0.0
    """When its request came, on the runtime's clock."""


class Silence:
    """A timer's message: check whether the client was silent for too long."""


SILENCE: Final = Silence()


class WebSocketOutput:
    """What the server sends on a connection."""

    __slots__ = ("_connection", "_heard", "_now", "_timer", "closing", "input_closed", "pid", "upgraded", "write")

    def __init__(self, upgraded: Upgraded) -> None:
        self.upgraded = upgraded
        self.pid = pid = upgraded.pid
        self._connection = connection = upgraded.connection
        options = upgraded.options
        connection.limit = options.max_output_bytes
        self.write = connection.write
        self.closing = False
        """Whether a close frame was sent; nothing is sent after it. See `seal`."""
        self.input_closed = False
        """Whether the server ignores further input of the client, or has paused it."""
        self._now = now = pid.runtime.now
        self._heard = now()
        """Time of the client's last bytes, on the runtime's clock."""
        self._timer: Timer | None = None
        if options.timeout != math.inf:
            self._arm(options.timeout)

    def send(self, opcode: int, data: bytes) -> None:
        """Send a message of this connection only, compressed if that was negotiated."""
        extensions = self.upgraded.extensions
        if not extensions:
            self.write(frame(opcode, data))
        elif not self.closing:
            self.write(Frame(Opcode(opcode), data).serialize(mask=False, extensions=extensions))

    def respond(self, data: bytes, *, last: bool) -> None:
        """Send a pong, or with `last` the close frame, and end the connection."""
        if data and not self.closing:
            self.write(data)
            if self._connection.size > self._connection.limit:
                self.judge_output()
        if last:
            self.seal()
            self.end(NORMAL)

    @property
    def compressed(self) -> bool:
        """Whether output may be compressed, so that this connection cannot share frames with others."""
        return bool(self.upgraded.extensions)

    # ----------------------------------------------------------------------------------------------- end

    def stop(self, reason: Reason) -> None:
        """Send a close frame with the code of the reason, and end the process."""
        self.send_close(close_code(reason))
        self.end(reason)

    def send_close(self, code: CloseCode) -> None:
        """Send a close frame, unless one was sent."""
        self.input_closed = True
        if not self.closing:
            self.seal()
            self.write(frame(CLOSE, code.to_bytes(2, "big")))

    def seal(self) -> None:
        """Send nothing more."""
        self.closing = True

    def end(self, reason: Reason) -> None:
        """End the process."""
        fatal(self.pid, reason)

    def reject(self, why: str, reason: Reason = BAD_MESSAGE) -> None:
        """Disconnect a client for invalid input."""
        self.blame(why, close_code(reason))
        self.stop(reason)

    def blame(self, why: str, code: int) -> None:
        """Emit `events.bad_input` with the client's mistake."""
        if events.bad_input.handlers:
            events.bad_input.emit(peer=self.upgraded.peer, why=why, code=int(code))

    def judge_output(self) -> None:
        """Disconnect a client that reads too slowly; a long output alone does not mean that it does."""
        if self._connection.unwritten() > self._connection.limit:
            self.overflow()

    def overflow(self) -> None:
        """Disconnect a slow client with 1013."""
        if not self.closing:
            if events.slow_consumer.handlers:
                events.slow_consumer.emit(peer=self.upgraded.peer, waiting=self._connection.size, policy="close")
            self.stop(SLOW_CONSUMER)

    def finish(self, reason: Reason = NORMAL) -> None:
        """Give the connection to the flusher, which writes the output and closes it: the last act of the process.

        `reason` is the reason of the close, unless the process ends by a signal or an exception.
        """
        if self._timer is not None:
            self.pid.runtime.patience.discard(self._timer)
        if self.pid.state is not State.ALIVE:
            reason = self.pid.exit_reason
        elif (error := sys.exception()) is not None:
            reason = reason_of_failure(error)[0]
        self.send_close(close_code(reason))
        upgraded, traffic = self.upgraded, self._connection.traffic() if events.disconnected.handlers else None
        upgraded.flusher.finish(self._connection)
        if events.disconnected.handlers:
            events.disconnected.emit(
                socket=upgraded.socket,
                transport="websocket",
                peer=upgraded.peer,
                reason=reason,
                traffic=traffic,
                level=upgraded.level,
            )

    # ------------------------------------------------------------------------------------------- silence

    def check_silence(self) -> None:
        """Close if the client was silent for too long, or check again when the time would be over."""
        left = self._heard + self.upgraded.options.timeout - self._now()
        if left <= 0:
            self.blame(f"it was silent for {self.upgraded.options.timeout:g} s", CloseCode.PROTOCOL_ERROR)
            self.stop(TIMED_OUT)
        else:
            self._arm(left)

    def _arm(self, seconds: float) -> None:
        self._timer = self.pid.runtime.patience.add(seconds, _ask_for_silence, self.pid)


def _ask_for_silence(pid: Pid) -> None:
    pid.send(SILENCE)
