"""The process of a WebSocket connection without channels: one task reads, another takes what comes, in order.

What came before the client left is handled still: a page may send its last words and close. But a handler that goes on
for `LEAVING` seconds then is cancelled, for its client is not there to hear of it: else whoever hangs up on a handler
that hangs would leave a process behind each time.
"""

from __future__ import annotations

import math
from sys import getsizeof
from time import perf_counter
from typing import Final, final

import attrs
import trio

from phxactor.otp import Stop
from phxactor.runtime import (
    NORMAL,
    Exit,
    Reason,
    State,
    Timer,
    close_left_open,
    counted,
    fork,
    is_atom,
    reason_of_failure,
)
from phxactor.socket import BINARY, DRAIN, TEXT, RawResult, RawSocket, SocketPush, rate_limit
from phxactor.transport import events
from phxactor.transport._attended import Attended
from phxactor.transport._close_codes import BAD_MESSAGE, DRAINING, HELD_UP, NOT_UTF8, CloseCode, close_code
from phxactor.transport._websocket import MUCH, SHARE, STUCK, Link, WebSocket

AHEAD: Final = 65536
"""Bytes of messages that may wait for the handler before nothing more is read."""
OVERHEAD: Final = 128
"""Bytes that a message takes beside its text or bytes, while it waits."""
LEAVING: Final = 5.0
"""Seconds that a handler has for each message once the client has left, or has been told that the connection ends."""


@attrs.frozen
class Incoming:
    """A message of the client, on its way to the handler."""

    data: str | bytes
    size: int
    """Bytes that it counts; a text grows when its UTF-8 is asked for."""


@attrs.frozen
class Owed:
    """What the protocol owes the client behind the answers to its messages: pongs, or the last close frame."""

    data: bytes
    size: int
    last: bool


@attrs.frozen
class Ended:
    """Behind the last message of the client: the connection ends, and why."""

    reason: Reason


@final
class RawWebSocket(WebSocket):
    """A `RawSocket`'s connection."""

    __slots__ = ("_cutting", "_handled", "_handler", "_handling", "_rate", "_reason", "_room", "_waiting")

    def __init__(self, link: Link, handler: RawSocket) -> None:
        super().__init__(link)
        self._handler = handler
        self._rate = rate_limit(link.options.max_messages_per_second, self.pid.runtime)
        self._waiting = 0
        """Bytes of messages that wait for the handler."""
        self._room: trio.Event | None = None
        self._handled = 0
        """Messages that a handler has taken."""
        self._handling: trio.CancelScope | None = None
        """Around the handlers, and the task that reads."""
        self._cutting: Timer | None = None
        """When the handlers are looked at, once the connection ends."""
        self._reason: Reason = NORMAL
        """Why the connection ends."""

    async def run(self, first: bytes) -> None:
        """Be the process; `first` is what came behind the handshake's request."""
        handler = self._handler
        reason: Reason = NORMAL
        try:
            await Attended(handler.init(), self._connection, self.link.options.connect_timeout, self._late)
            try:
                reason = await self._until_the_end(first)
            except BaseException as error:
                if self.pid.state is not State.ALIVE:
                    raise
                reason, failure = reason_of_failure(error)
                if failure is not None:
                    raise
            self.send_close(close_code(reason))
            self.link.flusher.finish(self._connection)  # however long `terminate` takes
            await handler.terminate(reason)
        finally:
            self.finish(reason)
        if not is_atom(reason, NORMAL):
            raise Exit(reason)

    async def _until_the_end(self, first: bytes) -> Reason:
        """Have messages read and handled; say why the connection ends."""
        try:
            async with trio.open_nursery() as nursery:
                self._handling = nursery.cancel_scope
                opened = len(trio.lowlevel.current_task().child_nurseries)
                nursery.start_soon(self._read, first)
                try:
                    self._reason = await self._serve()
                except BaseException as error:
                    fork.leave(error)  # before the nursery waits
                    raise
                finally:  # what a callback has left open stands within the nursery, and has to go before it
                    left = await close_left_open(self.pid, nursery.cancel_scope, outer_nurseries=opened)
                    if left:
                        raise BaseExceptionGroup("raised by what a callback has left open", left)
        finally:
            self._handling = None
            if self._cutting is not None:
                self.pid.runtime.patience.discard(self._cutting)
        return self._reason

    def _leave(self) -> None:
        """Look in a while whether a handler hangs: nobody is there any more to be answered."""
        if self._cutting is None and self._handling is not None:
            self._cutting = self.pid.runtime.patience.add(LEAVING, self._look, self._handled)

    def _look(self, handled: int) -> None:
        """Cancel the handler that has not returned since the last look."""
        self._cutting = None
        if self._handling is not None:
            if handled == self._handled:
                self._handling.cancel(reason="the client has left")
            else:
                self._leave()

    def _late(self) -> None:
        """Close a connection whose `init` takes too long, while it may go on."""
        link = self.link
        self.send_close(CloseCode.INTERNAL_ERROR)
        link.flusher.finish(self._connection)
        if events.late.handlers:
            seconds = link.options.connect_timeout
            events.late.emit(socket=link.socket, peer=link.peer, callback="init", seconds=seconds)

    async def _serve(self) -> Reason:
        """Take messages until the connection ends; say why it did."""
        handler, pid = self._handler, self.pid
        while True:
            message = None  # while it waits for the next, it has none
            message = await pid.receive()
            result: RawResult = None
            # Not `match`, which may ask a message what it is: it may be a program's own.
            if type(message) is Incoming:
                result = await handler.handle_in(message.data)
                self._handled += 1
                self._make_room(message.size)
                if self._sweep is not None:
                    self._sweep.count()
            elif type(message) is Owed:
                self._make_room(message.size)
                super().respond(message.data, last=message.last)
            elif type(message) is SocketPush:
                self._push(message.opcode, message.data)
            elif message is DRAIN:
                return DRAINING
            elif type(message) is Ended:
                return message.reason
            else:
                result = await handler.handle_info(message)
                self._handled += 1
            if isinstance(result, Stop):
                return result.reason
            self._answer(result)

    def _answer(self, result: object) -> None:
        """Send what a handler returned."""
        if isinstance(result, str):
            self._push(TEXT, result.encode())
        elif isinstance(result, bytes):
            self._push(BINARY, result)
        elif result is not None:
            name = type(self._handler).__name__
            raise TypeError(f"a handler of {name} returns text, bytes, Stop or None, not {result!r:.200}")

    async def _read(self, first: bytes) -> None:
        """Read until the connection ends, staying `AHEAD` of the handler at the most."""
        connection = self._connection
        data = first
        try:
            while not self.input_closed:
                if data:
                    await self._take(data)
                if self._rate is not None and (delay := self._rate.delay(trio.current_time())):
                    self._heard = trio.current_time() + delay  # it is not the client who is silent
                    await trio.sleep(delay)
                data = await connection.receive_some()
                if not data:
                    break
        except trio.BrokenResourceError:
            pass
        self.input_closed = True
        self.end(NORMAL)

    async def _take(self, data: bytes) -> None:
        """Take what was read, and have others served in between.

        What one read holds of compressed frames may be a thousand times as long, so after each it is asked for room.
        """
        await trio.lowlevel.checkpoint()
        turns, late = False, 0.0 if len(data) > MUCH else math.inf
        for frames in self.pieces(data):
            if self.is_heavy(frames) or perf_counter() > late:
                if turns:
                    self.end_turn()
                turns = True
                await self.wait_for_turn()
                late = perf_counter() + SHARE
            self.take_frames(frames)
            if self._waiting > AHEAD:
                await self._wait_for_room()
        if turns:
            self.end_turn()

    async def _wait_for_room(self) -> None:
        """Read nothing until the handler has taken enough; watch meanwhile whether the client leaves.

        It is let go when nothing has been taken for `STUCK`: where much waits, nobody would see it leave.
        """
        stop = self._connection.watch(self._leave)
        try:
            while self._waiting > AHEAD and not self.input_closed:
                self._room = room = trio.Event()
                with counted(self.pid.runtime.timers, STUCK) as scope:  # it is the program that is slow
                    await room.wait()
                if scope.cancelled_caught:
                    self._room = None
                    self.reject(f"its handler has taken nothing of what waits for {STUCK:g} s", HELD_UP)
        finally:
            stop()

    def _make_room(self, size: int) -> None:
        self._waiting -= size
        if self._room is not None:
            self._room.set()
            self._room = None
            self._heard = trio.current_time()  # it was not the client who was silent

    def take_message(self, opcode: int, data: bytes) -> None:
        """Queue it for the handler."""
        try:
            message = data.decode() if opcode == TEXT else data
        except UnicodeDecodeError as error:
            self.reject(f"text is not UTF-8 at byte {error.start}", NOT_UTF8)
            return
        size = getsizeof(message) + OVERHEAD  # a text with one emoji takes four bytes for each character
        self._waiting += size
        if self._rate is not None:
            self._rate.owe(trio.current_time())
        self.pid.send(Incoming(message, size))

    def respond(self, data: bytes, *, last: bool) -> None:
        """Send it behind the answers to what came before, as if everything were handled when it comes."""
        if self._waiting:
            size = getsizeof(data) + OVERHEAD
            self._waiting += size
            self.pid.send(Owed(data, size, last))
        else:
            super().respond(data, last=last)

    def reject(self, why: str, reason: Reason = BAD_MESSAGE) -> None:
        """Disconnect a client that sent what cannot be read, once what came before has been handled."""
        self.blame(why, close_code(reason))
        self.input_closed = True
        self.end(reason)

    def end(self, reason: Reason) -> None:
        """End once the handler has taken what came before, if it does so in time."""
        self._reason = reason
        self.pid.send(Ended(reason))
        self._leave()

    def _arm(self, seconds: float) -> None:
        """Look at the silence not in the turn of messages, since a handler may hang."""
        self._timer = self.pid.runtime.patience.add(seconds, self._look_for_silence, None)

    def _look_for_silence(self, _: None) -> None:
        if self._room is not None:  # nothing is read: it is not the client that is silent
            self._heard = self._now()
        if not self.input_closed:
            self.check_silence()

    def _push(self, opcode: int, data: bytes) -> None:
        if not self.closing:
            self.send(opcode, data)
            if self._connection.size > self._connection.limit:
                self.judge_output()
