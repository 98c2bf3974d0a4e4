"""The process of a WebSocket connection with channels: the reader gives it what comes, its port takes what goes.

The way of a message: the reader reads when the socket is readable, and calls `take`, which slices whole frames,
decodes them and puts them into the channels' mailboxes. What channels send back, already encoded, runs through the
port's sink at once: it appends to the connection's output, which the flusher sends at the end of the pass.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable
from typing import ClassVar, Final, final

import trio

from phxactor.runtime import set_port
from phxactor.socket import DecodeError, InvalidUTF8, Socket, SocketPush
from phxactor.socket.messages import DRAIN
from phxactor.socket.multiplexer import Pool
from phxactor.transport.base_connection import READ_SIZE
from phxactor.transport.close_codes import BAD_MESSAGE, DRAINING, HELD_UP, NOT_UTF8
from phxactor.transport.frames import frame
from phxactor.transport.multiplexing import multiplexer
from phxactor.transport.slow_consumer import SlowConsumer
from phxactor.transport.websocket import MANY, Link, Silence, WebSocket

WINDOW: Final = 65536
"""Bytes of messages that are handed out before it is asked whether the channels keep up."""
BEHIND: Final = 4
"""Windows that the channels of a client may be behind, before nothing more is read of it: 256 KiB."""
COMPRESSED_READ: Final = 4096
"""Bytes that one read takes of a connection with compression: inflated, they may be a thousand times as many."""
SETTLE: Final = 0.01
"""Seconds between two looks at whether the channels of a connection that is to be closed are done."""
CATCH_UP: Final = 0.005
"""Seconds before a look at channels that have to catch up; while nothing is read, twice as many before each next."""
LOOK: Final = 0.3
"""Seconds between two such looks at the most: a channel that takes long costs nothing meanwhile."""

STUCK: Final = 120.0
"""Seconds in which channels that have to catch up must take something: phoenix.js waits half as long for an answer."""


@final
class MultiplexedWebSocket(WebSocket):
    """A `Socket`'s connection; its own sink for what is sent as it is to all."""

    takes: ClassVar[type] = SocketPush

    __slots__ = (
        "_behind",
        "_decode",
        "_draining",
        "_handle_in",
        "_multiplexer",
        "_slow",
        "_taking",
        "_waiting",
        "_window",
    )

    def __init__(self, link: Link, socket: Socket, pool: Pool) -> None:
        super().__init__(link)
        options = link.options
        self._decode = socket.serializer.decode
        self._slow = None if options.slow_consumer == "close" else SlowConsumer(link.peer, options.max_output_bytes)
        self._multiplexer = multiplexer(socket, self, pool, options)
        unlimited = options.max_messages_per_second is None
        self._handle_in = self._multiplexer.handle_in if unlimited else self._multiplexer.handle_limited
        self._draining = False
        self._taking = False
        """Whether frames wait for their turn."""
        self._window = WINDOW
        """Bytes of messages that are still handed out before the channels are looked at."""
        self._waiting = 0
        """Messages that waited for the channels when they were looked at last."""
        self._behind = 0
        """Windows during which what waits has grown: so many hold all of it."""

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
            if first and (held := self.take(first)) is not None:
                await held
            await self._connection.feed(self.take, COMPRESSED_READ if self.compressed else READ_SIZE)
            self.seal()
        except trio.BrokenResourceError:  # reset by the client
            self.seal()
        finally:
            self._multiplexer.end()
            self.finish()

    def take(self, data: bytes) -> Awaitable[None] | None:
        """Take what was read; what processes send meanwhile queues, and is taken right after."""
        if self._draining:
            return trio.sleep_forever()  # noqa: ASYNC105 - whoever feeds this awaits it
        if self._window <= 0 and self.too_far_behind():
            return self.hold(data)
        frames = self.slice(data)
        if len(frames) > MANY:
            return self.take_in_turns(frames)
        self.take_frames(frames)
        return None

    def take_frames(self, frames: list[tuple[int, bytes]]) -> None:
        """Take frames as the port takes a message."""
        pid = self.pid
        pid.port_busy = True
        try:
            super().take_frames(frames)
        finally:
            pid.port_busy = False
        if pid.mailbox:
            pid.run_port_queue()

    async def take_in_turns(self, frames: list[tuple[int, bytes]]) -> None:
        """Take many frames, and let others run in between."""
        self._taking = True
        await super().take_in_turns(frames)
        self._taking = False

    def take_message(self, opcode: int, data: bytes) -> None:
        """Decode a message and hand it to its channel."""
        try:
            message = self._decode(data, opcode)
        except DecodeError as error:
            self.reject(str(error), NOT_UTF8 if isinstance(error, InvalidUTF8) else BAD_MESSAGE)
            return
        self._window -= len(data)
        self._handle_in(message)
        if self._sweep is not None:
            self._sweep.count()

    def too_far_behind(self) -> bool:
        """Look at the channels, once a window; they have run since the last one was handed out."""
        windows = 1 - self._window // WINDOW
        self._window = WINDOW
        waited, self._waiting = self._waiting, self._multiplexer.waiting()
        if not self._waiting:
            self._behind = 0
        elif self._waiting > waited:
            self._behind += windows
        return self._behind > BEHIND

    async def hold(self, data: bytes) -> None:
        """Read nothing until half of what waits has been taken, then take `data`: TCP tells the client to wait.

        It is looked at again and again, since that is rare, and an event would cost every message. The client is let go
        when nothing has been taken for `STUCK`: nobody has answered his heartbeats, and nobody would see him leave.
        """
        pause, last, since = CATCH_UP, math.inf, trio.current_time()
        while 2 * (waiting := self._multiplexer.waiting()) > self._waiting:
            now = trio.current_time()
            self._heard = now + pause  # it is not the client who is silent
            if waiting != last:
                last, since = waiting, now
            elif now - since >= STUCK:
                self.reject(f"its channels have taken nothing of what waits for {STUCK:g} s", HELD_UP)
            await trio.sleep(pause)
            pause = min(2 * pause, LOOK)
        self._behind //= 2
        held = self.take(data)
        if held is not None:
            await held

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

    def dropping_port(self, message: object) -> None:
        """Take what a process sends, but no broadcast while much waits; a port of its own costs all others nothing."""
        slow = self._slow
        if type(message) is SocketPush and message.broadcast and slow:
            waiting = self._connection.size
            if slow.misses(waiting if waiting <= slow.above else self._connection.behind()):
                return
        self.port(message)

    def drain(self) -> None:
        """Read nothing more; close once the channels have answered what was read."""
        self._draining = True
        if self._multiplexer.settled() and not self._taking:
            self.stop(DRAINING)
        else:
            self.pid.runtime.timers.add(SETTLE, self.pid.send, DRAIN)

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
