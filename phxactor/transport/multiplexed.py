"""The process of a WebSocket connection with channels: its own task reads, its port writes.

The way of a message: the task wakes when the socket is readable, slices whole frames, decodes them and puts them into
the channels' mailboxes. What channels send back, already encoded, runs through the port at once: it appends to the
connection's output, which the flusher sends once a pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

import trio
from trio.lowlevel import wait_readable

from phxactor.runtime import Pid, set_port
from phxactor.socket import DecodeError, InvalidUTF8, Socket, SocketPush
from phxactor.socket.messages import DRAIN
from phxactor.socket.multiplexer import Multiplexer
from phxactor.transport.close_codes import BAD_MESSAGE, DRAINING, NOT_UTF8
from phxactor.transport.connection import READ_SIZE
from phxactor.transport.frames import frame
from phxactor.transport.websocket import Link, Silence, WebSocket

HIGH_WATER: Final = 1000
"""Messages waiting for one channel above which nothing more is read from its client."""
LOW_WATER: Final = 100
"""Messages waiting for that channel below which reading goes on."""
SETTLE: Final = 0.01
"""Seconds between two looks at whether the channels of a connection that is to be closed are done."""
CATCH_UP: Final = 0.005
"""Seconds between two looks at a channel that has to catch up."""


@final
class MultiplexedWebSocket(WebSocket):
    """A `Socket`'s connection."""

    __slots__ = ("_behind", "_decode", "_draining", "_max_output", "_multiplexer", "_shared_frames")

    def __init__(
        self, link: Link, socket: Socket, pool: Callable[[Pid], Pid], *, max_channels: int, join_timeout: float
    ) -> None:
        super().__init__(link)
        self._decode = socket.serializer.decode
        self._max_output = link.max_output_bytes
        self._shared_frames = not self.compressed
        self._multiplexer = Multiplexer(socket, self, pool, max_channels=max_channels, join_timeout=join_timeout)
        self._draining = False
        self._behind: Pid | None = None
        """A channel that has to catch up before anything more is read."""

    async def run(self, first: bytes) -> None:
        """Be the process; `first` is what came behind the handshake's request."""
        sock = self.link.connection.sock
        set_port(self.port)
        try:
            self.read(first)
            while True:
                await wait_readable(sock)  # first wait, then read: `Connection.receive_some` without its call
                if self._draining:
                    await trio.sleep_forever()
                try:
                    data = sock.recv(READ_SIZE)
                except BlockingIOError:
                    continue
                if not data:
                    self.closing = True
                    break
                self.read(data)
                if self._behind is not None:
                    await self.catch_up(self._behind)
        except OSError:  # reset by the client
            self.closing = True
        finally:
            self._multiplexer.end()
            self.finish()

    def read(self, data: bytes) -> None:
        """Take what was read; what processes send meanwhile queues, and is taken right after."""
        pid = self.pid
        pid.port_busy = True
        try:
            self.take_bytes(data)
        finally:
            pid.port_busy = False
        if pid.mailbox:
            pid.run_port_queue()

    def take_message(self, opcode: int, data: bytes) -> None:
        """Decode a message and hand it to its channel."""
        try:
            message = self._decode(data, opcode)
        except DecodeError as error:
            self.reject(str(error), NOT_UTF8 if isinstance(error, InvalidUTF8) else BAD_MESSAGE)
            return
        channel = self._multiplexer.handle_in(message)
        if channel is not None and len(channel.mailbox) > HIGH_WATER:
            self._behind = channel

    async def catch_up(self, channel: Pid) -> None:
        """Read nothing until the channel has little left to do: TCP tells the client to wait.

        It is looked at again and again, since that is rare, and an event would cost every message.
        """
        while channel.alive and len(channel.mailbox) > LOW_WATER:
            await trio.sleep(CATCH_UP)
            self._heard = trio.current_time()  # it is not the client who is silent
        self._behind = None

    def port(self, message: object) -> None:
        """Take what a process sends to this one."""
        if type(message) is SocketPush:
            self.push(message)
        elif type(message) is Silence:
            self.check_silence()
        elif message is DRAIN:
            self.drain()
        else:
            self._multiplexer.handle_info(message)

    def drain(self) -> None:
        """Read nothing more; close once the channels have answered what was read."""
        self._draining = True
        if self._multiplexer.settled():
            self.stop(DRAINING)
        else:
            self.pid.runtime.timers.add(SETTLE, self.pid.send, DRAIN)

    def push(self, push: SocketPush) -> None:
        """Send an encoded message; what many get is framed once."""
        if self.closing:
            return
        if self._shared_frames:
            data = push.frame
            if data is None:
                data = push.frame = frame(push.opcode, push.data)
            self.write(data)
        else:
            self.send(push.opcode, push.data)
        if self.link.connection.size > self._max_output:
            self.overflow()
