"""The process of a WebSocket connection with channels: the reader delivers the input, its port handles the output.

The reader reads when the socket is readable, and calls `take`, which slices whole frames, decodes them and puts the
messages into the channels' mailboxes. Channels send encoded messages to the port's sink, which appends them to the
connection's output at once. The flusher sends the output at the end of the pass.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from time import perf_counter
from typing import ClassVar, Final, final

import trio

from phxactor.net import READ_SIZE
from phxactor.runtime import set_port, taking
from phxactor.socket import (
    DRAIN,
    SMALL,
    DecodeError,
    InvalidUTF8,
    Message,
    Mistyped,
    Multiplexer,
    Pool,
    Socket,
    SocketPush,
)
from phxactor.transport._close_codes import BAD_MESSAGE, DRAINING, HELD_UP, NOT_UTF8
from phxactor.transport._frames import RAW, frame
from phxactor.transport._full_sweep import FullSweep
from phxactor.transport._slow_consumer import SlowConsumer
from phxactor.transport._websocket import AT_ONCE, HEAVY, MUCH, SHARE, STUCK, Link, Silence, WebSocket

WINDOW: Final = 65536
"""Bytes read between two checks whether the channels keep up."""
COMPRESSED_READ: Final = 4096
"""The same for a connection with compression, and the most bytes of one read: inflated, they may be a thousand times
as many."""
CATCH_UP: Final = 0.005
"""While reading is paused, seconds to the first check whether the channels have caught up; doubles at each check."""
LOOK: Final = 0.3
"""Most seconds between two such checks."""


@final
class MultiplexedWebSocket(WebSocket):
    """A `Socket`'s connection; it is also the sink of its port, for messages that all clients get in the same bytes."""

    takes: ClassVar[type] = SocketPush

    __slots__ = (
        "_busy",
        "_decode",
        "_draining",
        "_handle_in",
        "_left",
        "_multiplexer",
        "_slow",
        "_taking",
        "_turn",
        "_window",
    )

    def __init__(self, link: Link, socket: Socket, pool: Pool) -> None:
        super().__init__(link)
        options = link.options
        self._busy = taking(link.pid)
        self._decode = socket.serializer.decode
        self._slow = None if options.slow_consumer == "close" else SlowConsumer(link.peer, options.max_output_bytes)
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

    async def run(self, first: bytes) -> None:
        """Run the process; `first` holds the bytes that followed the handshake's request."""
        if self.pid.label is None:  # `connect` may have set one
            self.pid.label = self.link.peer
        try:
            # `set_port` raises if the process is ending already, for example since `connect`.
            if self._slow is not None:
                set_port(self.dropping_port)
            elif self.compressed:
                set_port(self.port)
            else:
                set_port(self.port, self)
            compressed = self.compressed
            take = self.take_compressed if compressed else self.take
            if first and (held := take(first)) is not None:
                await held
            await self._connection.feed(take, COMPRESSED_READ if compressed else READ_SIZE)
            self.seal()
        except trio.BrokenResourceError:  # reset by the client
            self.seal()
        finally:
            self._multiplexer.end()
            self.finish()

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
            self.reject(str(error), NOT_UTF8 if isinstance(error, InvalidUTF8) else BAD_MESSAGE)

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

    def port(self, message: object) -> None:
        """Handle a message to this process."""
        if type(message) is SocketPush:
            self.push(message)
        elif type(message) is Silence:
            if not self._draining:  # while draining the server does not read: the client is not silent
                self.check_silence()
        elif message is DRAIN:
            self.drain()
        else:
            self._multiplexer.handle_info(message)
            if self._draining:
                self.drain()

    def dropping_port(self, message: object) -> None:
        """Handle a message, but drop broadcasts while much output waits: the port for `slow_consumer="drop"` only."""
        slow = self._slow
        if type(message) is SocketPush and message.broadcast and slow:
            waiting = self._connection.size
            if slow.misses(waiting if waiting <= slow.above else self._connection.unwritten()):
                return
        self.port(message)

    def drain(self) -> None:
        """Stop reading; close once the channels have answered all received messages."""
        self._draining = True
        self._window = 0
        if not self._taking and self._multiplexer.drained():
            self.stop(DRAINING)

    @trio.lowlevel.enable_ki_protection
    def put(self, push: SocketPush) -> None:
        """Queue an encoded message: the sink of the port, until `seal`. A broadcast is framed once for all clients."""
        data = push.frame
        if data is None:
            data = push.frame = frame(push.opcode, push.data)
        # The same as `connection.write`, without the call: this is the hot path of a delivery.
        connection = self._connection
        if connection.size:
            connection.append(data)
        else:
            connection.head = data
            connection.size = len(data)
            connection.mark(connection)
        if connection.size > connection.limit:
            self.judge_output()

    def seal(self) -> None:
        """Send nothing more: also remove the sink, which does not check `closing`."""
        self.closing = True
        self.pid.drop_sink()

    def push(self, push: SocketPush) -> None:
        """Send an encoded message, compressed if this client negotiated compression."""
        if self.closing:
            return
        if not self.compressed:
            self.put(push)
        else:
            self.send(push.opcode, push.data)
            if self._connection.size > self._connection.limit:
                self.judge_output()


def _swept(handle_in: Callable[[Message], None], sweep: FullSweep) -> Callable[[Message], None]:
    """Wrap `handle_in` to count messages for full sweeps; without the option there is no wrapper."""

    def handle_and_count(message: Message) -> None:
        handle_in(message)
        sweep.count()

    return handle_and_count
