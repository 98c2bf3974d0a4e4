"""The process of a WebSocket connection without channels: one task reads, another runs the handler, in order.

Messages that arrived before the client left are still handled: a page may send a last message and close.
"""

from __future__ import annotations

from sys import getsizeof
from typing import final

import attrs
import trio

from phxactor.otp import Stop
from phxactor.runtime import (
    NORMAL,
    Exit,
    Reason,
    State,
    close_left_open,
    fork,
    is_atom,
    reason_of_failure,
)
from phxactor.socket import BINARY, DRAIN, TEXT, RawResult, RawSocket, SocketPush
from phxactor.transport import events
from phxactor.transport._attended import Attended
from phxactor.transport._close_codes import BAD_MESSAGE, DRAINING, NOT_UTF8, CloseCode, close_code
from phxactor.transport._hanging_handler import HandlerWatch
from phxactor.transport._read_ahead import OVERHEAD, ReadAheadWebSocket
from phxactor.transport._websocket_output import Upgraded


@attrs.frozen
class Incoming:
    """A message from the client, on its way to the handler."""

    data: str | bytes
    size: int
    """Bytes that the message counts for; fixed here, since a text grows in memory when it caches its UTF-8."""


@attrs.frozen
class Owed:
    """A pong or a close frame that must follow the answers to earlier messages."""

    data: bytes
    size: int
    last: bool


@attrs.frozen
class Ended:
    """Follows the client's last message: the connection ends for this reason."""

    reason: Reason


@final
class RawWebSocket(ReadAheadWebSocket):
    """A `RawSocket`'s connection."""

    __slots__ = ("_handler", "_reason", "_watch")

    def __init__(self, upgraded: Upgraded, handler: RawSocket) -> None:
        super().__init__(upgraded)
        self._handler = handler
        self._watch = HandlerWatch(self.pid.runtime)
        self._reason: Reason = NORMAL
        """The reason that the connection ends with."""

    async def run(self, first: bytes) -> None:
        """Run the process; `first` holds the bytes that followed the handshake's request."""
        handler = self._handler
        reason: Reason = NORMAL
        try:
            await Attended(handler.init(), self._connection, self.upgraded.options.connect_timeout, self._late)
            try:
                reason = await self._until_the_end(first)
            except BaseException as error:  # the handler's: it becomes the exit reason, and `terminate` still runs
                if self.pid.state is not State.ALIVE:
                    raise
                reason, failure = reason_of_failure(error)
                if failure is not None:
                    raise
            self.send_close(close_code(reason))
            self.upgraded.flusher.finish(self._connection)  # before `terminate`, which may take long
            await handler.terminate(reason)
        finally:
            self.finish(reason)
        if not is_atom(reason, NORMAL):
            raise Exit(reason)

    async def _until_the_end(self, first: bytes) -> Reason:
        """Run the reading task and the handler; return the reason that the connection ends with."""
        try:
            async with trio.open_nursery() as nursery:
                self._watch.scope = nursery.cancel_scope
                opened = len(trio.lowlevel.current_task().child_nurseries)
                nursery.start_soon(self.read, first)
                try:
                    self._reason = await self._serve()
                except BaseException as error:
                    fork.leave(error)  # before the nursery waits for the reading task
                    raise
                finally:  # nurseries and scopes that a callback left open are inside this nursery: close them first
                    left = await close_left_open(self.pid, nursery.cancel_scope, outer_nurseries=opened)
                    if left:
                        raise BaseExceptionGroup("raised by what a callback has left open", left)
        finally:
            self._watch.end()
        return self._reason

    def _late(self) -> None:
        """Close the connection if `init` takes too long; `init` itself may still run."""
        upgraded = self.upgraded
        self.send_close(CloseCode.INTERNAL_ERROR)
        upgraded.flusher.finish(self._connection)
        if events.late.handlers:
            seconds = upgraded.options.connect_timeout
            events.late.emit(socket=upgraded.socket, peer=upgraded.peer, callback="init", seconds=seconds)

    async def _serve(self) -> Reason:
        """Handle messages until the connection ends; return its reason."""
        handler, pid = self._handler, self.pid
        while True:
            message = None  # keep no reference to the last message during the wait
            message = await pid.receive()
            result: RawResult = None
            # Not `match`: it could call code of a program's own message.
            if type(message) is Incoming:
                result = await handler.handle_in(message.data)
                self._watch.handled += 1
                self.make_room(message.size)
                if self._sweep is not None:
                    self._sweep.count()
            elif type(message) is Owed:
                self.make_room(message.size)
                super().respond(message.data, last=message.last)
            elif type(message) is SocketPush:
                self._push(message.opcode, message.data)
            elif message is DRAIN:
                return DRAINING
            elif type(message) is Ended:
                return message.reason
            else:
                result = await handler.handle_info(message)
                self._watch.handled += 1
            if isinstance(result, Stop):
                return result.reason
            self._answer(result)

    def _answer(self, result: object) -> None:
        """Send the value that the handler returned."""
        if isinstance(result, str):
            self._push(TEXT, result.encode())
        elif isinstance(result, bytes):
            self._push(BINARY, result)
        elif result is not None:
            name = type(self._handler).__name__
            raise TypeError(f"a handler of {name} must return text, bytes, Stop or None; got {result!r:.200}")

    def take_message(self, opcode: int, data: bytes) -> None:
        """Queue a message for the handler."""
        try:
            message = data.decode() if opcode == TEXT else data
        except UnicodeDecodeError as error:
            self.reject(f"text is not UTF-8 at byte {error.start}", NOT_UTF8)
            return
        size = self.count(message)
        self.pid.send(Incoming(message, size))

    def client_left(self) -> None:
        """Check from now on whether the handler hangs."""
        self._watch.begin()

    def respond(self, data: bytes, *, last: bool) -> None:
        """Send a pong or a close frame behind the answers to earlier messages."""
        if self._waiting:
            size = getsizeof(data) + OVERHEAD
            self._waiting += size
            self.pid.send(Owed(data, size, last))
        else:
            super().respond(data, last=last)

    def reject(self, why: str, reason: Reason = BAD_MESSAGE) -> None:
        """Disconnect a client that sent invalid input, once its earlier messages are handled."""
        self.blame(why, close_code(reason))
        self.input_closed = True
        self.end(reason)

    def end(self, reason: Reason) -> None:
        """End the connection once the handler has finished the earlier messages, or takes too long."""
        self._reason = reason
        self.pid.send(Ended(reason))
        self._watch.begin()

    def _push(self, opcode: int, data: bytes) -> None:
        if not self.closing:
            self.send(opcode, data)
            if self._connection.size > self._connection.limit:
                self.judge_output()
