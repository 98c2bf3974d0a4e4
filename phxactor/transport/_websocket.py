"""A WebSocket connection: frames in, frames out, and its end. What a message means is for those who extend it.

    bytes ──▶ FrameSlicer ── plain frames ─────────────▶ take_message
                   ├─ pings, pongs, fragments ─────────▶ answered, put together ──▶ take_message
                   ├─ all other frames ──▶ websockets' protocol object ──▶ take_message, close
                   └─ a head that is wrong ──▶ close, whether the rest of the frame has come or not

`MultiplexedWebSocket` is the transport of a `Socket` with channels, `RawWebSocket` that of a `RawSocket`.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Final

import attrs
import trio
from websockets.extensions import Extension
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol

from phxactor.net import BaseConnection, Flusher
from phxactor.runtime import NORMAL, Pid, Reason, State, Timer, reason_of_failure
from phxactor.runtime.signals import fatal
from phxactor.transport import events
from phxactor.transport._close_codes import BAD_MESSAGE, RATE_LIMITED, SLOW_CONSUMER, TIMED_OUT, CloseCode, close_code
from phxactor.transport._excess import PINGS, SPLINTER, SPLINTERS, Excess
from phxactor.transport._frame_protocol import LARGE, make_protocol, take_apart
from phxactor.transport._frames import FIN, OPCODE, RAW, FrameSlicer, apply_mask, extent, fault, frame
from phxactor.transport._full_sweep import full_sweep
from phxactor.transport._options import WebSocketOptions

CLOSE: Final = 8
"""The opcode of a close frame."""
PONG: Final = 10
"""The opcode of a pong."""
ALIVE: Final = frame(PONG, b"")
"""A pong that was not asked for."""
_PING: Final = 0x89
_ALIVE: Final = (_PING, 0x8A)
"""First bytes of a ping and a pong."""
MUCH: Final = 1024
"""Bytes of a read that may be much work: eight messages that are sent at once are fewer."""
PIECE: Final = 512
"""Bytes that are taken before it is asked how much work it was: some hundred of the smallest frames."""
AT_ONCE: Final = 0.0003
"""Seconds of work that are done for a client without a turn."""
SHARE: Final = 0.002
"""Seconds of work that one client's turn has: then it is the next one's."""
TINY: Final = 128
"""Bytes of a compressed frame that are not much work: they inflate to a thousand times as many at the most."""
HEAVY: Final = 16384
"""Bytes of a message from which on to decode it is work for a turn: of objects within objects, 1 MiB is 30 ms."""
STUCK: Final = 120.0
"""Seconds in which what waits for the program must be taken in part: phoenix.js waits half as long for an answer."""


@attrs.define(eq=False)  # frozen, it would take 0.9 µs longer to make: each connection has one
class Link:
    """What a WebSocket is made on, once the handshake is done."""

    pid: Pid
    """The process of the connection."""
    connection: BaseConnection
    flusher: Flusher
    socket: str
    """The name of the socket's class, for the log, as is all of the next two."""
    peer: str
    """The client's address."""
    level: int | None
    """The level at which connections are logged; None for not at all."""
    extensions: Sequence[Extension]
    """What was negotiated: empty, or permessage-deflate."""
    options: WebSocketOptions


class Silence:
    """A timer's message: look whether the client has been silent for too long."""


SILENCE: Final = Silence()


class WebSocket(ABC):
    """The frames of one connection, and its end."""

    __slots__ = (
        "_connection",
        "_excess",
        "_fragments",
        "_heard",
        "_now",
        "_opcode",
        "_protocol",
        "_slicer",
        "_sweep",
        "_timer",
        "closing",
        "input_closed",
        "link",
        "pid",
        "write",
    )

    def __init__(self, link: Link) -> None:
        self.link = link
        self.pid = link.pid
        self._connection = link.connection
        self._connection.limit = link.options.max_output_bytes
        self.write = self._connection.write
        self._slicer = FrameSlicer(link.options.max_frame_size, compressed=bool(link.extensions))
        self._protocol: Protocol | None = None
        """Made when a frame needs it; most clients never send one that does."""
        self._fragments = bytearray()
        self._opcode = 0
        """Of a message of which a part has come."""
        self._excess: Excess | None = None
        """Made with the first ping; most clients never send one."""
        self._now = link.pid.runtime.now
        self._heard = self._now()
        self._timer: Timer | None = None
        self.closing = False
        """Whether a close frame has been sent; nothing is after it. See `seal`."""
        self.input_closed = False
        """Whether nothing more is taken from the client."""
        self._sweep = full_sweep(link.options.fullsweep_after, link.pid)
        if link.options.timeout != math.inf:
            self._arm(link.options.timeout)

    # --------------------------------------------------------------------------------------------- input

    @abstractmethod
    def take_message(self, opcode: int, data: bytes) -> None:
        """Take a whole text (not checked to be UTF-8) or binary message."""

    def slice(self, data: bytes) -> list[tuple[int, bytes]]:
        """Take the frames out of what was read from the connection."""
        self._heard = self._now()
        return self._slicer.feed(data)

    def take_frames(self, frames: list[tuple[int, bytes]]) -> None:
        """Take frames."""
        for opcode, payload in frames:
            if self.input_closed:
                return
            if opcode != RAW:
                self.take_message(opcode, payload)
            else:
                self._take_raw(payload)

    def pieces(self, data: bytes) -> Iterator[list[tuple[int, bytes]]]:
        """Take the frames out of much that was read, a few at a time; compressed ones each for itself."""
        position = 0
        while position < len(data):
            end = position + max(PIECE, self._slicer.missing)
            frames = self.slice(data[position:end])
            position = end
            if not self.compressed:
                yield frames
            else:
                for opcode, payload in frames:
                    yield [(opcode, payload)]

    def is_heavy(self, frames: list[tuple[int, bytes]]) -> bool:
        """Say whether a piece may be so much work that it needs a turn: how much is not known before it is inflated."""
        return self.compressed and any(opcode == RAW and len(data) > TINY for opcode, data in frames)

    async def wait_for_turn(self) -> None:
        """Wait until it is this client's turn to have much work done.

        Raises trio.BrokenResourceError when the client has reset the connection, or left some turns ago: nobody would
        hear of what is left.
        """
        connection, excess = self._connection, self.excess()
        await self.link.flusher.wait_for_turn()
        if connection.has_left() and (connection.is_broken() or not excess.take_last_turn()):
            raise trio.BrokenResourceError("the client has left")
        excess.begin_turn()
        self._heard = self._now()  # it is not the client who is silent

    def end_turn(self) -> None:
        """Say that its work is done; after much, have a client that is told nothing say whether it is still there.

        Who closes while much of what it has sent is still to be read is not seen to leave: its FIN waits behind that,
        in its own system's buffer. To whatever is sent to it, its system answers with a reset (RFC 1122 section
        4.2.2.13); a pong that was not asked for may always be sent (RFC 6455 section 5.5.3), and nobody answers it.
        """
        connection = self._connection
        seconds = self.excess().end_turn(self.link.flusher.waiting)
        if seconds is not None and not connection.size and not self.closing and connection.silent_for() > seconds:
            self.write(ALIVE)

    def _take_raw(self, data: bytes) -> None:
        """Leave a frame to `websockets`: control, fragmented, compressed, or wrong behind its head."""
        wrong = fault(data, compressed=self.compressed)
        if wrong is not None:
            self._break_off(wrong)
            return
        head = data[0]
        if head in _ALIVE:
            self._take_ping(data)
        elif self.compressed or head & OPCODE == CLOSE:
            self._take_rare(data)
        else:
            self._take_fragment(head, data)

    def _take_ping(self, data: bytes) -> None:
        """Answer a ping, and nothing to a pong: whole, masked and short, or their heads were wrong.

        Of too many some are not answered (RFC 6455 section 5.5.3), and whoever does not stop is disconnected.
        """
        limit = self.excess().pings
        if limit.take(self._now()):
            if data[0] == _PING:
                self.respond(frame(PONG, apply_mask(data[6:], data[2:6])), last=False)
        elif limit.abused:
            self.reject(f"more than {PINGS} pings or pongs a second", RATE_LIMITED)

    def _take_fragment(self, head: int, data: bytes) -> None:
        """Put a message together (RFC 6455 section 5.4): of the smallest, `websockets` takes 64 KiB in 0.3 s."""
        opcode, (start, size) = head & OPCODE, extent(data)
        most, before = self.link.options.max_frame_size, len(self._fragments)
        if bool(opcode) is bool(self._opcode):
            self._break_off("expected a continuation frame" if opcode else "unexpected continuation frame")
            return
        if before + size > most:
            why = f"{size} bytes after {before}, over the limit of {most} bytes"
            self._break_off(why, CloseCode.TOO_BIG)
            return
        splinters = self.excess().splinters
        if size < SPLINTER and not splinters.take(self._now()) and splinters.abused:
            self.reject(f"more than {SPLINTERS} fragments a second of less than {SPLINTER} bytes", RATE_LIMITED)
            return
        self._opcode = self._opcode or opcode
        self._fragments += apply_mask(data[start:], data[start - 4 : start])
        if head & FIN:
            kind, self._opcode = self._opcode, 0
            message, self._fragments = bytes(self._fragments), bytearray()
            self.take_message(kind, message)

    def excess(self) -> Excess:
        """Return the rates of what is counted, made when there are none yet."""
        if self._excess is None:
            self._excess = Excess()
        return self._excess

    def _take_rare(self, data: bytes) -> None:
        """Leave a frame to `websockets`: the last, and all data of a connection with compression."""
        protocol = self._protocol_for(data)
        protocol.receive_data(data)
        large = False
        for received in protocol.events_received():
            if not isinstance(received, Frame):
                continue
            opcode = received.opcode
            if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
                self._opcode = int(opcode)
            elif opcode is not Opcode.CONT:
                continue
            self._fragments += received.data  # in place: a list of tiny ones would take forty times their size
            if received.fin and not self.input_closed:
                kind, self._opcode = self._opcode, 0
                message, self._fragments = bytes(self._fragments), bytearray()
                large = len(message) > LARGE
                self.take_message(kind, message)
        if self.input_closed:
            return
        answer = b"".join(protocol.data_to_send())
        if large:
            self._forget_protocol()
        if protocol.eof_sent:
            self.input_closed = True
            if protocol.parser_exc is not None:
                code = protocol.close_sent.code if protocol.close_sent else CloseCode.PROTOCOL_ERROR
                self.blame(str(protocol.parser_exc), code)
        self.respond(answer, last=protocol.eof_sent)

    def _protocol_for(self, data: bytes) -> Protocol:
        """Return the object that takes a frame, made when there is none yet."""
        # A message may be broken off by a close frame (RFC 6455 section 5.5.1), which `websockets` takes for an error.
        if self._opcode and data[0] & OPCODE == CLOSE:
            self._forget_protocol()
        if self._protocol is None:
            self._protocol = make_protocol(self.link.extensions, self.link.options.max_frame_size)
        return self._protocol

    def _forget_protocol(self) -> None:
        if self._protocol is not None:
            take_apart(self._protocol)
            self._protocol = None

    def _break_off(self, wrong: str, code: CloseCode = CloseCode.PROTOCOL_ERROR) -> None:
        """Refuse a frame at its head, with the words that `websockets` has for it."""
        self.input_closed = True
        self.blame(wrong, code)
        self.respond(frame(CLOSE, code.to_bytes(2, "big") + wrong.encode()), last=True)

    # -------------------------------------------------------------------------------------------- output

    def send(self, opcode: int, data: bytes) -> None:
        """Send a message that was not framed before."""
        extensions = self.link.extensions
        if not extensions:
            self.write(frame(opcode, data))
        elif not self.closing:
            self.write(Frame(Opcode(opcode), data).serialize(mask=False, extensions=extensions))

    def respond(self, data: bytes, *, last: bool) -> None:
        """Send what the protocol owes the client: pongs, and the close frame, which is the last."""
        if data and not self.closing:
            self.write(data)
            if self._connection.size > self._connection.limit:
                self.judge_output()
        if last:
            self.seal()
            self.end(NORMAL)

    @property
    def compressed(self) -> bool:
        """Whether what is sent may be compressed, so that it cannot be framed once for all."""
        return bool(self.link.extensions)

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
        """Have nothing sent any more."""
        self.closing = True

    def end(self, reason: Reason) -> None:
        """End the process."""
        fatal(self.pid, reason)

    def reject(self, why: str, reason: Reason = BAD_MESSAGE) -> None:
        """Disconnect a client that sent what cannot be read."""
        self.blame(why, close_code(reason))
        self.stop(reason)

    def blame(self, why: str, code: int) -> None:
        """Tell what a client did wrong."""
        if events.bad_input.handlers:
            events.bad_input.emit(peer=self.link.peer, why=why, code=int(code))

    def judge_output(self) -> None:
        """Disconnect a client that is too far behind; one for which much waits may still read fast."""
        if self._connection.unwritten() > self._connection.limit:
            self.overflow()

    def overflow(self) -> None:
        """Disconnect a client for which too much waits."""
        if not self.closing:
            if events.slow_consumer.handlers:
                events.slow_consumer.emit(peer=self.link.peer, waiting=self._connection.size, policy="close")
            self.stop(SLOW_CONSUMER)

    def finish(self, reason: Reason = NORMAL) -> None:
        """Leave the connection to the flusher, who sends what waits and closes it: the last act of the process.

        `reason` is why it ends, unless a signal or an exception says otherwise.
        """
        if self._timer is not None:
            self.pid.runtime.patience.discard(self._timer)
        self._forget_protocol()
        if self.pid.state is not State.ALIVE:
            reason = self.pid.exit_reason
        elif (error := sys.exception()) is not None:
            reason = reason_of_failure(error)[0]
        self.send_close(close_code(reason))
        self.link.flusher.finish(self._connection)
        if events.disconnected.handlers:
            link = self.link
            events.disconnected.emit(
                socket=link.socket, transport="websocket", peer=link.peer, reason=reason, level=link.level
            )

    # ------------------------------------------------------------------------------------------- silence

    def check_silence(self) -> None:
        """Close, or look again when the time may be over."""
        left = self._heard + self.link.options.timeout - self._now()
        if left <= 0:
            self.blame(f"it has been silent for {self.link.options.timeout:g} s", CloseCode.PROTOCOL_ERROR)
            self.stop(TIMED_OUT)
        else:
            self._arm(left)

    def _arm(self, seconds: float) -> None:
        self._timer = self.pid.runtime.patience.add(seconds, _ask_for_silence, self.pid)


def _ask_for_silence(pid: Pid) -> None:
    pid.send(SILENCE)
