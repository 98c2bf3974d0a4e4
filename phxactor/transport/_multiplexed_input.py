"""The input of a WebSocket connection with channels: frames, decoded and put into the channels' mailboxes.

Long work waits for a turn, so that other clients are served in between. While the channels do not keep up, reading
pauses.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from time import perf_counter
from typing import Final

import trio

from phxactor.runtime import taking
from phxactor.socket import (
    SMALL,
    DecodeError,
    InvalidUTF8,
    Message,
    Mistyped,
    Multiplexer,
    Pool,
    Socket,
    SocketPush,
    TooComplex,
)
from phxactor.transport._close_codes import BAD_MESSAGE, HELD_UP, NOT_UTF8, TOO_COMPLEX
from phxactor.transport._frames import RAW
from phxactor.transport._full_sweep import FullSweep
from phxactor.transport._websocket import AT_ONCE, HEAVY, MUCH, SHARE, STUCK, WebSocket
from phxactor.transport._websocket_output import Upgraded

WINDOW: Final = 65536
"""Bytes read between two checks whether the channels keep up."""
COMPRESSED_READ: Final = 4096
"""The same for a connection with compression, and the most bytes of one read: inflated, they may be a thousand times
as many."""
_REASONS: Final = {InvalidUTF8: NOT_UTF8, TooComplex: TOO_COMPLEX}
"""Exit reasons for errors of decoding; `BAD_MESSAGE` for all others."""
CATCH_UP: Final = 0.005
"""While reading is paused, seconds to the first check whether the channels have caught up; doubles at each check."""
LOOK: Final = 0.3
"""Most seconds between two such checks."""


class MultiplexedInput(WebSocket):
    """What a client sends to its channels."""

    __slots__ = ("_busy", "_decode", "_draining", "_handle_in", "_left", "_multiplexer", "_taking", "_turn", "_window")

    def __init__(self, upgraded: Upgraded, socket: Socket, pool: Pool) -> None:
        super().__init__(upgraded)
        options = upgraded.options
        self._busy = taking(upgraded.pid)
        self._decode = socket.serializer.decode
        self._multiplexer = Multiplexer(socket, self, pool, options)
        unlimited = options.max_messages_per_second is None
        handle_in = self._multiplexer.handle_in if unlimited else self._multiplexer.handle_limited
        self._handle_in = handle_in if self._sweep is None else _swept(handle_in, self._sweep)
        self._draining = False
        self._taking = False
        """Whether frames of the last read wait for a turn."""
        self._turn = False
        """Whether one heavy message may be decoded now."""
        self._window = WINDOW
        """Bytes to read until the next check whether the channels keep up."""
        self._left: list[tuple[int, bytes]] = []
        """Frames that wait until the backlog has room, or this client a turn, for the first of them."""

    @property
    def multiplexer(self) -> Multiplexer:
        """Its channels."""
        return self._multiplexer

    @abstractmethod
    def drain(self) -> None:
        """Close once the channels have answered all received messages."""

    @abstractmethod
    def push(self, push: SocketPush) -> None:
        """Send an encoded message."""

    def take(self, data: bytes) -> Awaitable[None] | None:
        """Handle received bytes; messages that processes send meanwhile queue, and follow right after."""
        window = self._window = self._window - len(data)
        if window <= 0 and (held := self.look(data)) is not None:
            return held
        if len(data) > MUCH:
            return self.take_much(data)
        self.take_frames(self.slice(data))
        return self.hold() if self._left else None

    def take_compressed(self, data: bytes) -> Awaitable[None] | None:
        """Handle received bytes of a connection with compression: few bytes may inflate to many."""
        window = self._window = self._window - len(data)
        if window <= 0 and (held := self.look(data)) is not None:
            return held
        return self.take_much(data)

    def take_much(self, data: bytes) -> Awaitable[None] | None:
        """Handle a long read in pieces; after `AT_ONCE` seconds, or at heavy frames, the rest waits for a turn."""
        pieces = self.pieces(data)
        late = perf_counter() + AT_ONCE
        for frames in pieces:
            if self.is_heavy(frames):
                return self.take_in_turns(frames, pieces)
            self.take_frames(frames)
            if self.input_closed and not self._left:  # it ends
                return None
            if self.is_full() or perf_counter() > late:
                return self.take_in_turns([], pieces)
        return None

    def is_full(self) -> bool:
        """Say whether the rest of a read must wait: a frame waits already, or too much waits for the channels."""
        return bool(self._left) or self._multiplexer.backlog.exceeds()

    def take_frames(self, frames: list[tuple[int, bytes]]) -> None:
        """Handle frames in the context of this process, up to the first for which the backlog has no room."""
        rest = iter(frames)
        with self._busy:
            for opcode, payload in rest:
                if self.input_closed:
                    if self._left:
                        self._left += (opcode, payload), *rest
                    break
                if opcode != RAW:
                    self.take_message(opcode, payload)
                else:
                    self._take_raw(payload)

    async def take_in_turns(self, frames: list[tuple[int, bytes]], pieces: Iterator[list[tuple[int, bytes]]]) -> None:
        """Handle frames and the pieces behind them in turns, so that other clients are served in between."""
        self._taking = True
        more: list[tuple[int, bytes]] | None = frames
        while more is not None:
            if self.is_full():
                await self.hold()
            await self.wait_for_turn()
            late = perf_counter() + SHARE
            self._turn = True
            while more is not None:
                self.take_frames(more)
                more = next(pieces, None)
                if self.is_full() or perf_counter() > late:
                    break
            self._turn = False
            self.end_turn()
        if self._left:
            await self.hold()
        self._taking = False
        if self._draining:
            self.drain()

    def take_message(self, opcode: int, data: bytes) -> None:
        """Decode a message and put it into its channel's mailbox."""
        if len(data) > SMALL:
            self.take_larger(opcode, data)
            return
        try:
            message = self._decode(data, opcode)
        except DecodeError as error:
            self.refuse(error)
            return
        self._handle_in(message)

    def take_larger(self, opcode: int, data: bytes) -> None:
        """Do the same with a message that the backlog counts by itself; leave it if there is no room or no turn."""
        if len(data) > HEAVY:
            if not self._turn:
                self._left.append((opcode, data))
                self.input_closed = True
                return
            self._turn = False
        try:
            message = self._multiplexer.backlog.decode(self._decode, data, opcode)
        except DecodeError as error:
            self.refuse(error)
            return
        if message is None:
            self._left.append((opcode, data))
            self.input_closed = True
        else:
            self._handle_in(message)

    def refuse(self, error: DecodeError) -> None:
        """Disconnect a client that sent an invalid message, or send an error reply if the message can have one."""
        if isinstance(error, Mistyped):
            self._multiplexer.handle_mistyped(error)
        else:
            self.reject(str(error), _REASONS.get(type(error), BAD_MESSAGE))

    def look(self, data: bytes) -> Awaitable[None] | None:
        """Check once per window whether the channels keep up; if not, return an awaitable that pauses reading."""
        if self._draining:
            return self._connection.until_left()
        self._window = COMPRESSED_READ if self.compressed else WINDOW
        return self.hold(data) if self._multiplexer.backlog.exceeds() else None

    async def hold(self, data: bytes = b"") -> None:
        """Pause reading until the backlog is half empty, then handle the frames left, and `data`."""
        await self.wait_for_room()
        while self._left:
            await self.wait_for_turn()
            frames, self._left = self._left, []
            self.input_closed = self.closing
            self._turn = True
            self.take_frames(frames)
            self._turn = False
            self.end_turn()
            if self._left:
                await self.wait_for_room()
        if data and (held := self.take(data)) is not None:
            await held

    async def wait_for_room(self) -> None:
        """Wait until the backlog is half empty. This polls: it is rare, and an event would slow down every message.

        If the channels take nothing for `STUCK` seconds, the client is disconnected: the server has not answered its
        heartbeats. Raises trio.BrokenResourceError if the client has left, as far as `check_client` finds out.
        """
        backlog = self._multiplexer.backlog
        pause, stuck = CATCH_UP, 0.0
        least = waiting = backlog.held()
        while not backlog.has_eased(waiting):
            self._heard = trio.current_time() + pause  # the server does not read: the client is not silent
            if waiting < least:
                least, stuck = waiting, 0.0
            elif stuck >= STUCK:
                self.reject(f"its channels have taken no message for {STUCK:g} s", HELD_UP)
            await trio.sleep(pause)
            self.check_client()
            stuck += pause  # not by the clock: while the whole program is paused, no channel can take anything
            pause = min(2 * pause, LOOK)
            waiting = backlog.held()
        if self._draining:
            self._taking = False
            self.drain()
            await self._connection.until_left()


def _swept(handle_in: Callable[[Message], None], sweep: FullSweep) -> Callable[[Message], None]:
    """Wrap `handle_in` to count messages for full sweeps; without the option there is no wrapper."""

    def handle_and_count(message: Message) -> None:
        handle_in(message)
        sweep.count()

    return handle_and_count
