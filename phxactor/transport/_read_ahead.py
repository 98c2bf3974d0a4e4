"""A WebSocket whose messages wait for a handler in another task: it reads only a little ahead of the handler."""

from __future__ import annotations

import math
from abc import abstractmethod
from sys import getsizeof
from time import perf_counter
from typing import Final

import trio

from phxactor.runtime import NORMAL, counted
from phxactor.socket import rate_limit
from phxactor.transport._close_codes import HELD_UP
from phxactor.transport._websocket import ASK, MUCH, SHARE, STUCK, WebSocket
from phxactor.transport._websocket_output import Upgraded

AHEAD: Final = 65536
"""Limit for messages that wait for the handler, in bytes of memory; over it the server stops reading."""
OVERHEAD: Final = 128
"""Bytes that a waiting message counts in addition to its data."""


class ReadAheadWebSocket(WebSocket):
    """The reading side of such a connection."""

    __slots__ = ("_rate", "_room", "_waiting")

    def __init__(self, upgraded: Upgraded) -> None:
        super().__init__(upgraded)
        self._rate = rate_limit(upgraded.options.max_messages_per_second, self.pid.runtime)
        self._waiting = 0
        """Bytes of messages that wait for the handler."""
        self._room: trio.Event | None = None

    @abstractmethod
    def client_left(self) -> None:
        """Note that the client has left while messages wait for the handler."""

    def count(self, message: str | bytes) -> int:
        """Count a message that begins to wait; return the bytes that it counts."""
        size = getsizeof(message) + OVERHEAD  # a text with one emoji takes four bytes for each character
        self._waiting += size
        if self._rate is not None:
            self._rate.owe(trio.current_time())
        return size

    async def read(self, first: bytes) -> None:
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
        stop = self._connection.watch(self.client_left)
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

    def make_room(self, size: int) -> None:
        """Note that the handler has taken a message that counts `size` bytes."""
        self._waiting -= size
        if self._room is not None:
            self._room.set()
            self._room = None
            self._heard = trio.current_time()  # the server did not read: the client was not silent

    def _arm(self, seconds: float) -> None:
        """Check for silence by a timer of its own, not by a message, since the handler may hang."""
        self._timer = self.pid.runtime.patience.add(seconds, self._look_for_silence, None)

    def _look_for_silence(self, _: None) -> None:
        if self._room is not None:  # the server does not read: the client is not silent
            self._heard = self._now()
        if not self.input_closed:
            self.check_silence()
