"""A WebSocket connection: frames in, and messages out of them. Subclasses handle the messages.

    bytes ──▶ FrameSlicer ── plain frames ─────────────▶ take_message
                   ├─ pings, pongs, fragments ─────────▶ answered, joined ──▶ take_message
                   ├─ all other frames ──▶ websockets' protocol object ──▶ take_message, close
                   └─ a frame with a wrong head ──▶ close, before the rest of the frame arrives

`MultiplexedWebSocket` is the transport of a `Socket` with channels, `RawWebSocket` that of a `RawSocket`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Final

import trio
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol

from phxactor.runtime import NORMAL, Reason
from phxactor.transport._close_codes import RATE_LIMITED, CloseCode
from phxactor.transport._excess import PINGS, SPLINTER, SPLINTERS, Excess
from phxactor.transport._frame_protocol import LARGE, make_protocol, take_apart
from phxactor.transport._frames import FIN, OPCODE, RAW, FrameSlicer, apply_mask, extent, fault, frame
from phxactor.transport._full_sweep import full_sweep
from phxactor.transport._websocket_output import CLOSE, Upgraded, WebSocketOutput

PONG: Final = 10
"""The opcode of a pong."""
ALIVE: Final = frame(PONG, b"")
"""The frame of an unsolicited pong."""
_PING: Final = 0x89
_ALIVE: Final = (_PING, 0x8A)
"""First bytes of a ping and a pong."""
MUCH: Final = 1024
"""A read of more bytes than this is handled in pieces: it may be long work. Eight messages at once are fewer bytes."""
PIECE: Final = 512
"""Bytes of a piece of such a read; the time is checked after each piece."""
AT_ONCE: Final = 0.0003
"""Seconds of work for a client without a turn."""
SHARE: Final = 0.002
"""Seconds of work in one turn of a client; then the next client has its turn."""
TINY: Final = 128
"""A compressed frame of at most this many bytes needs no turn: it inflates to a thousand times as many at most."""
HEAVY: Final = 16384
"""A message of more bytes than this needs a turn for itself, since decoding nested JSON takes long."""
ASK: Final = 0.3
"""Seconds without output after which a client whose input is held back is probed, and at least between two probes."""
STUCK: Final = 120.0
"""Seconds after which a client is disconnected if the program takes none of its messages."""


class WebSocket(WebSocketOutput, ABC):
    """The frames of a connection, and its close."""

    __slots__ = ("_excess", "_fragments", "_opcode", "_protocol", "_slicer", "_sweep")

    def __init__(self, upgraded: Upgraded) -> None:
        super().__init__(upgraded)
        options = upgraded.options
        self._slicer = FrameSlicer(options.max_frame_size, compressed=bool(upgraded.extensions))
        self._protocol: Protocol | None = None
        """The `websockets` protocol object; None until a frame needs it. Most clients never send such a frame."""
        self._fragments = bytearray()
        """The payload of an incomplete message."""
        self._opcode = 0
        """The opcode of an incomplete message; 0 if there is none."""
        self._excess: Excess | None = None
        """The client's limits for pings, fragments and turns; None until they are needed."""
        self._sweep = full_sweep(options.fullsweep_after, upgraded.pid)

    @abstractmethod
    def take_message(self, opcode: int, data: bytes) -> None:
        """Handle a whole message, text (not checked to be UTF-8) or binary."""

    def slice(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the frames in received bytes."""
        self._heard = self._now()
        return self._slicer.feed(data)

    def take_frames(self, frames: list[tuple[int, bytes]]) -> None:
        """Handle frames."""
        for opcode, payload in frames:
            if self.input_closed:
                return
            if opcode != RAW:
                self.take_message(opcode, payload)
            else:
                self._take_raw(payload)

    def pieces(self, data: bytes) -> Iterator[list[tuple[int, bytes]]]:
        """Yield the frames of a long read, a few at a time; compressed frames one at a time."""
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
        """Say whether frames need a turn: compressed frames do, since their work is not known before they inflate."""
        return self.compressed and any(opcode == RAW and len(data) > TINY for opcode, data in frames)

    async def wait_for_turn(self) -> None:
        """Wait for this client's turn for long work.

        Raises trio.BrokenResourceError if the client has reset the connection, or had `LAST_TURNS` turns after it left:
        no client would get the answers.
        """
        connection, excess = self._connection, self.excess()
        await self.upgraded.flusher.wait_for_turn()
        if connection.has_left() and (connection.is_broken() or not excess.take_last_turn()):
            raise trio.BrokenResourceError("the client has left")
        excess.begin_turn()
        self._heard = self._now()  # the server did not read: the client is not silent

    def end_turn(self) -> None:
        """End a turn. After much work for a client that gets no output, probe with a pong whether it is still there.

        The server cannot see a client leave while much of its input is unread: the FIN waits behind that input, in the
        client's system. But the client's system answers any bytes with a reset (RFC 1122 section 4.2.2.13). An
        unsolicited pong is always allowed, and needs no answer (RFC 6455 section 5.5.3).
        """
        connection = self._connection
        seconds = self.excess().end_turn(self.upgraded.flusher.waiting)
        if seconds is not None and not connection.size and not self.closing and connection.silent_for() > seconds:
            self.write(ALIVE)

    def check_client(self) -> None:
        """Check whether the client is still there: for a time in which its input is held back, so that no task reads.

        Raises trio.BrokenResourceError if the connection is broken: what the client has left unread is dropped. If
        its FIN may wait behind unread input, or has come, probe with a pong, as `end_turn` does.
        """
        connection = self._connection
        if connection.is_broken():
            raise trio.BrokenResourceError("the client has left")
        if not connection.size and not self.closing and (connection.has_left() or connection.silent_for() > ASK):
            self.write(ALIVE)

    def _take_raw(self, data: bytes) -> None:
        """Handle a frame that is not plain: control, fragmented, compressed, or with a fault."""
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
        """Answer a ping, and ignore a pong; the frame is whole, masked and short, since its head had no fault.

        Pings above the limit are not answered (RFC 6455 section 5.5.3); a client that goes on is disconnected.
        """
        limit = self.excess().pings
        if limit.take(self._now()):
            if data[0] == _PING:
                self.respond(frame(PONG, apply_mask(data[6:], data[2:6])), last=False)
        elif limit.abused:
            self.reject(f"it sent more than {PINGS} pings or pongs a second", RATE_LIMITED)

    def _take_fragment(self, head: int, data: bytes) -> None:
        """Add a fragment to its message (RFC 6455 section 5.4); for tiny fragments `websockets` would be very slow."""
        opcode, (start, size) = head & OPCODE, extent(data)
        most, before = self.upgraded.options.max_frame_size, len(self._fragments)
        if bool(opcode) is bool(self._opcode):
            self._break_off("expected a continuation frame" if opcode else "unexpected continuation frame")
            return
        if before + size > most:
            why = f"{size} bytes after {before}, over the limit of {most} bytes"
            self._break_off(why, CloseCode.TOO_BIG)
            return
        splinters = self.excess().splinters
        if size < SPLINTER and not splinters.take(self._now()) and splinters.abused:
            why = f"it sent more than {SPLINTERS} fragments a second of less than {SPLINTER} bytes"
            self.reject(why, RATE_LIMITED)
            return
        self._opcode = self._opcode or opcode
        self._fragments += apply_mask(data[start:], data[start - 4 : start])
        if head & FIN:
            kind, self._opcode = self._opcode, 0
            message, self._fragments = bytes(self._fragments), bytearray()
            self.take_message(kind, message)

    def excess(self) -> Excess:
        """Return the client's limits; make them at the first call."""
        if self._excess is None:
            self._excess = Excess(self.pid.runtime.pauses)
        return self._excess

    def _take_rare(self, data: bytes) -> None:
        """Pass a frame to `websockets`: a close frame, or any data frame of a connection with compression."""
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
            self._fragments += received.data  # in place: a list of tiny fragments would take much more memory
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
        """Return the protocol object for a frame; make it if there is none."""
        # A close frame may interrupt a message (RFC 6455 section 5.5.1), but `websockets` calls that an error.
        if self._opcode and data[0] & OPCODE == CLOSE:
            self._forget_protocol()
        if self._protocol is None:
            self._protocol = make_protocol(self.upgraded.extensions, self.upgraded.options.max_frame_size)
        return self._protocol

    def _forget_protocol(self) -> None:
        if self._protocol is not None:
            take_apart(self._protocol)
            self._protocol = None

    def _break_off(self, wrong: str, code: CloseCode = CloseCode.PROTOCOL_ERROR) -> None:
        """Refuse a frame by its head: close with `code`, and with the reason that `websockets` would give."""
        self.input_closed = True
        self.blame(wrong, code)
        self.respond(frame(CLOSE, code.to_bytes(2, "big") + wrong.encode()), last=True)

    def finish(self, reason: Reason = NORMAL) -> None:
        """Free the protocol object, and do the last act of the process."""
        self._forget_protocol()
        super().finish(reason)
