"""The process of a WebSocket connection with channels: the reader delivers the input, its port handles the output.

The reader reads when the socket is readable, and calls `take`, which slices whole frames, decodes them and puts the
messages into the channels' mailboxes. Channels send encoded messages to the port's sink, which appends them to the
connection's output at once. The flusher sends the output at the end of the pass.
"""

from __future__ import annotations

from typing import ClassVar, final

import trio

from phxactor.net import READ_SIZE
from phxactor.runtime import set_port
from phxactor.socket import DRAIN, TEXT, SharedPush, SocketPush
from phxactor.transport._close_codes import DRAINING
from phxactor.transport._frames import frame, head
from phxactor.transport._multiplexed_input import COMPRESSED_READ, MultiplexedInput
from phxactor.transport._slow_consumer import SlowConsumer
from phxactor.transport._websocket_output import Silence


@final
class MultiplexedWebSocket(MultiplexedInput):
    """A `Socket`'s connection; it is also the sink of its port, for messages that all clients get in the same bytes."""

    takes: ClassVar[type] = SocketPush

    __slots__ = ("_slow",)

    _slow: SlowConsumer
    """The state of the policy `slow_consumer="drop"`; not set for the policy `"close"`."""

    async def run(self, first: bytes) -> None:
        """Run the process; `first` holds the bytes that followed the handshake's request."""
        if self.pid.label is None:  # `connect` may have set one
            self.pid.label = self.upgraded.peer
        compressed = self.compressed
        try:
            # `set_port` raises if the process is ending already, for example since `connect`.
            if self.upgraded.options.slow_consumer == "drop":
                self._slow = SlowConsumer(self.upgraded.peer, self.upgraded.options.max_output_bytes)
                set_port(self.dropping_port)
            elif compressed:
                set_port(self.port)
            else:
                set_port(self.port, self)
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

    def port(self, message: object) -> None:
        """Handle a message to this process."""
        if type(message) is SocketPush:
            self.push(message)
        elif type(message) is SharedPush:
            self.push_shared(message)
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
        if type(message) is SocketPush and message.broadcast:
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

    def push_shared(self, push: SharedPush) -> None:
        """Send a message whose bytes many clients share, without a copy of them."""
        if self.compressed:
            self.push(push.whole())
        elif not self.closing:
            size = len(push.before) + len(push.shared) + len(push.after)
            for piece in (head(TEXT, size) + push.before, push.shared, push.after):
                self.write(piece)
            if self._connection.size > self._connection.limit:
                self.judge_output()
