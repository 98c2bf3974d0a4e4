"""The process of a WebSocket connection with channels: the reader gives it what comes, its port takes what goes.

The way of a message: the reader reads when the socket is readable, and calls `take`, which slices whole frames,
decodes them and puts them into the channels' mailboxes. What channels send back, already encoded, runs through the
port's sink at once: it appends to the connection's output, which the flusher sends at the end of the pass.
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
"""Bytes that are read before it is asked whether the channels keep up."""
COMPRESSED_READ: Final = 4096
"""Bytes that one read takes of a connection with compression, and its window: inflated, they may be a thousand times
as many."""
CATCH_UP: Final = 0.005
"""Seconds before a look at channels that have to catch up; while nothing is read, twice as many before each next."""
LOOK: Final = 0.3
"""Seconds between two such looks at the most: a channel that takes long costs nothing meanwhile."""


@final
class MultiplexedWebSocket(WebSocket):
    """A `Socket`'s connection; its own sink for what is sent as it is to all."""

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
        """Whether frames wait for their turn."""
        self._turn = False
        """Whether a message that is much work may be taken now."""
        self._window = WINDOW
        """Bytes that are still taken before the channels are looked at."""
        self._left: list[tuple[int, bytes]] = []
        """Frames that are not taken before there is room for the first of them."""

    async def run(self, first: bytes) -> None:
        """Be the process; `first` is what came behind the handshake's request."""
        if self.pid.label is None:  # `connect` may have set one
            self.pid.label = self.link.peer
        try:
            # It raises in a process that is ending, as it may have to since `connect`.
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
        """Take what was read; what processes send meanwhile queues, and is taken right after."""
        window = self._window = self._window - len(data)
        if window <= 0 and (held := self.look(data)) is not None:
            return held
        if len(data) > MUCH:
            return self.take_much(data)
        self.take_frames(self.slice(data))
        return self.hold() if self._left else None

    def take_compressed(self, data: bytes) -> Awaitable[None] | None:
        """Do so where little may become much."""
        window = self._window = self._window - len(data)
        if window <= 0 and (held := self.look(data)) is not None:
            return held
        return self.take_much(data)

    def take_much(self, data: bytes) -> Awaitable[None] | None:
        """Take much: as long as that is little work; the rest when it is this client's turn."""
        pieces = self.pieces(data)
        late = perf_counter() + AT_ONCE
        for frames in pieces:
            if self.is_heavy(frames):
                return self.take_in_turns(frames, pieces)
            self.take_frames(frames)
            if self.input_closed and not self._left:  # it ends
                return None
            if self._left or perf_counter() > late:
                return self.take_in_turns([], pieces)
        return None

    def take_frames(self, frames: list[tuple[int, bytes]]) -> None:
        """Take frames as the port takes a message, to the first for which there is no room."""
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
        """Take frames and what follows them, and have others served in between."""
        self._taking = True
        more: list[tuple[int, bytes]] | None = frames
        while more is not None:
            if self._left:
                await self.hold()
            await self.wait_for_turn()
            late = perf_counter() + SHARE
            self._turn = True
            while more is not None:
                self.take_frames(more)
                more = next(pieces, None)
                if self._left or perf_counter() > late:
                    break
            self._turn = False
            self.end_turn()
        if self._left:
            await self.hold()
        self._taking = False
        if self._draining:
            self.drain()

    def take_message(self, opcode: int, data: bytes) -> None:
        """Decode a message and hand it to its channel."""
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
        """Do so with a message that counts by itself, unless there is no room or no turn for it: then it is left."""
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
        """Disconnect a client that sent what is no message; one that can be answered is."""
        if isinstance(error, Mistyped):
            self._multiplexer.handle_mistyped(error)
        else:
            self.reject(str(error), NOT_UTF8 if isinstance(error, InvalidUTF8) else BAD_MESSAGE)

    def look(self, data: bytes) -> Awaitable[None] | None:
        """Look at the channels, once a window, and take no more while too much waits for them."""
        if self._draining:
            return self._connection.until_left()
        self._window = COMPRESSED_READ if self.compressed else WINDOW
        return self.hold(data) if self._multiplexer.backlog.exceeds() else None

    async def hold(self, data: bytes = b"") -> None:
        """Read nothing until half of what may wait does, then take what was left, and `data`: TCP tells the client."""
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
        """Look again and again, since it is rare, and an event would cost every message.

        The client is let go when nothing has been taken for `STUCK`: nobody has answered his heartbeats, and nobody
        would see him leave.
        """
        backlog = self._multiplexer.backlog
        pause, stuck = CATCH_UP, 0.0
        least = waiting = backlog.held()
        while not backlog.has_eased(waiting):
            self._heard = trio.current_time() + pause  # it is not the client who is silent
            if waiting < least:
                least, stuck = waiting, 0.0
            elif stuck >= STUCK:
                self.reject(f"its channels have taken nothing of what waits for {STUCK:g} s", HELD_UP)
            await trio.sleep(pause)
            stuck += pause  # not what the clock says: in a pause of the program nobody could take anything
            pause = min(2 * pause, LOOK)
            waiting = backlog.held()
        if self._draining:
            self._taking = False
            self.drain()
            await self._connection.until_left()

    def port(self, message: object) -> None:
        """Take what a process sends to this one."""
        if type(message) is SocketPush:
            self.push(message)
        elif type(message) is Silence:
            if not self._draining:  # then it is not the client who is silent
                self.check_silence()
        elif message is DRAIN:
            self.drain()
        else:
            self._multiplexer.handle_info(message)
            if self._draining:
                self.drain()

    def dropping_port(self, message: object) -> None:
        """Take what a process sends, but no broadcast while much waits; a port of its own costs all others nothing."""
        slow = self._slow
        if type(message) is SocketPush and message.broadcast and slow:
            waiting = self._connection.size
            if slow.misses(waiting if waiting <= slow.above else self._connection.unwritten()):
                return
        self.port(message)

    def drain(self) -> None:
        """Read nothing more; close once the channels have answered what was read."""
        self._draining = True
        self._window = 0
        if not self._taking and self._multiplexer.drained():
            self.stop(DRAINING)

    @trio.lowlevel.enable_ki_protection
    def put(self, push: SocketPush) -> None:
        """Take an encoded message: the sink, until the connection is sealed. It is framed once for all who get it."""
        data = push.frame
        if data is None:
            data = push.frame = frame(push.opcode, push.data)
        # As `connection.write` does, without the call: a tenth of what a delivery costs beside the system's `send`.
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
        """Have nothing sent any more, not even by the sink, which does not ask."""
        self.closing = True
        self.pid.drop_sink()

    def push(self, push: SocketPush) -> None:
        """Send an encoded message, whether it can be a sink's or has to be compressed for this client."""
        if self.closing:
            return
        if not self.compressed:
            self.put(push)
        else:
            self.send(push.opcode, push.data)
            if self._connection.size > self._connection.limit:
                self.judge_output()


def _swept(handle_in: Callable[[Message], None], sweep: FullSweep) -> Callable[[Message], None]:
    """Have messages counted for full sweeps; those that are not pay nothing."""

    def handle_and_count(message: Message) -> None:
        handle_in(message)
        sweep.count()

    return handle_and_count
