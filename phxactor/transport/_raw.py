"""The process of a WebSocket connection without channels: one task reads, another runs the handler, in order.

Messages that arrived before the client left are still handled: a page may send a last message and close.
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
from phxactor.transport._hanging_handler import HandlerWatch
from phxactor.transport._websocket import ASK, MUCH, SHARE, STUCK, WebSocket
from phxactor.transport._websocket_output import Upgraded

AHEAD: Final = 65536
"""Limit for messages that wait for the handler, in bytes of memory; over it the server stops reading."""
OVERHEAD: Final = 128
"""Bytes that a waiting message counts in addition to its data."""


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
class RawWebSocket(WebSocket):
    """A `RawSocket`'s connection."""

    __slots__ = ("_handler", "_rate", "_reason", "_room", "_waiting", "_watch")

    def __init__(self, upgraded: Upgraded, handler: RawSocket) -> None:
        super().__init__(upgraded)
        self._handler = handler
        self._rate = rate_limit(upgraded.options.max_messages_per_second, self.pid.runtime)
        self._waiting = 0
        """Bytes of messages that wait for the handler."""
        self._room: trio.Event | None = None
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
            except BaseException as error:
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
                nursery.start_soon(self._read, first)
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

    async def _read(self, first: bytes) -> None:
        """Read until the connection ends, at most `AHEAD` bytes ahead of the handler."""
        connection = self._connection
        data = first
        try:
            while not self.input_closed:
                if data:
                    await self._take(data)
                if self._rate is not None and (delay := self._rate.delay(trio.current_time())):
                    self._heard = trio.current_time() + delay  # the server does not read: the client is not silent
                    await trio.sleep(delay)
                data = await connection.receive_some()
                if not data:
                    break
        except trio.BrokenResourceError:
            pass
        self.input_closed = True
        self.end(NORMAL)

    async def _take(self, data: bytes) -> None:
        """Handle received bytes in turns, so that other clients are served in between.

        Compressed frames may inflate to a thousand times their size, so the limit is checked after each piece.
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
        """Pause reading until the handler has caught up; watch meanwhile whether the client leaves.

        If the handler takes nothing for `STUCK` seconds, the client is disconnected. Raises trio.BrokenResourceError
        if the client has left, as far as `check_client` finds out.
        """
        stop = self._connection.watch(self._watch.begin)
        try:
            while self._waiting > AHEAD and not self.input_closed:
                self._room = room = trio.Event()
                with counted(self.pid.runtime.timers, STUCK) as scope:  # not counted while the program is paused
                    while not room.is_set():
                        with trio.move_on_after(ASK) as late:
                            await room.wait()
                        if late.cancelled_caught:
                            self.check_client()
                if scope.cancelled_caught:
                    self._room = None
                    self.reject(f"its handler has taken no message for {STUCK:g} s", HELD_UP)
        finally:
            stop()

    def _make_room(self, size: int) -> None:
        self._waiting -= size
        if self._room is not None:
            self._room.set()
            self._room = None
            self._heard = trio.current_time()  # the server did not read: the client was not silent

    def take_message(self, opcode: int, data: bytes) -> None:
        """Queue a message for the handler."""
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

    def _arm(self, seconds: float) -> None:
        """Check for silence by a timer of its own, not by a message, since the handler may hang."""
        self._timer = self.pid.runtime.patience.add(seconds, self._look_for_silence, None)

    def _look_for_silence(self, _: None) -> None:
        if self._room is not None:  # the server does not read: the client is not silent
            self._heard = self._now()
        if not self.input_closed:
            self.check_silence()

    def _push(self, opcode: int, data: bytes) -> None:
        if not self.closing:
            self.send(opcode, data)
            if self._connection.size > self._connection.limit:
                self.judge_output()
