"""What a transport and the flusher need of a connection, whatever it runs over; and the bytes that wait in it."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeAlias

import trio

from phxactor.runtime import self_pid

READ_SIZE: Final = 65536
"""Bytes that one read takes at most."""

Take: TypeAlias = Callable[[bytes], Awaitable[None] | None]
"""Takes what was read; returns what is to be awaited before more is, or None."""


class BaseConnection(ABC):
    """A connection. It is also a `Stream`, for HTTP: both raise trio.BrokenResourceError when it is gone."""

    __slots__ = ("closed", "drain_scope", "finishing", "head", "limit", "mark", "size", "tail")

    def __init__(self, mark: Callable[[BaseConnection], None]) -> None:
        self.mark = mark
        """Tells the flusher that something waits, when nothing did."""
        self.head = b""
        """What waits to be written, the first of it: mostly all, and a list for it would cost more than the rest."""
        self.tail: list[bytes] | None = None
        """What waits behind that."""
        self.limit = sys.maxsize
        """Bytes that may wait before whoever writes has to judge (`WebSocket.judge_output`)."""
        self.size = 0
        """Bytes that wait to be written."""
        self.drain_scope: trio.CancelScope | None = None
        """While no more is taken at once, or the end is near: the scope of the flusher's task that writes to it."""
        self.finishing = False
        """Whether it is to be closed once everything is written."""
        self.closed = False

    def write(self, data: bytes) -> None:
        """Have bytes sent in this pass of the scheduler; dropped once the connection is gone."""
        if self.size:
            self.append(data)
        else:
            self.head = data
            self.size = len(data)
            self.mark(self)

    def append(self, data: bytes) -> None:
        """Have bytes wait behind others."""
        if self.tail is None:
            self.tail = [data]
        else:
            self.tail.append(data)
        self.size += len(data)

    def take_output(self) -> bytes:
        """Take what waits, all in one; it counts as waiting until `size` is set."""
        data = self.head if self.tail is None else b"".join((self.head, *self.tail))
        self.head = b""
        self.tail = None
        return data

    def drop_output(self) -> None:
        """Forget what waits: nobody will read it."""
        self.closed = True
        self.head = b""
        self.tail = None
        self.size = 0

    async def receive_first(self, seconds: float) -> bytes:
        """Wait for what the client begins with: none if he leaves, or says nothing for so long."""
        with self_pid().runtime.patience.move_on_after(seconds), suppress(trio.BrokenResourceError):
            return await self.receive_some()
        return b""

    @abstractmethod
    async def receive_some(self, max_bytes: int = READ_SIZE, /) -> bytes:
        """Wait for bytes; none at all means the end."""

    @abstractmethod
    def watch(self, left: Callable[[], None]) -> Callable[[], None]:
        """Have `left` called once if the client leaves while nothing is read; returns what ends the watch.

        To leave is to close one's side (a FIN), or to break off (a reset). Bytes that come meanwhile are for whoever
        reads next. Where they hide the end that comes behind them, nobody is told. One watch at a time.
        """

    async def until_left(self) -> None:
        """Wait, while nothing is read, until the client has left."""
        left = trio.Event()
        stop = self.watch(left.set)
        try:
            await left.wait()
        finally:
            stop()

    @abstractmethod
    async def send_all(self, data: bytes, /) -> None:
        """Write, and wait until everything has been taken."""

    @abstractmethod
    def feed(self, take: Take, max_bytes: int = READ_SIZE) -> Awaitable[None]:
        """Read to the end, and have each piece of at most `max_bytes` taken."""

    @abstractmethod
    def flush(self) -> bool:
        """Send what can be sent without waiting; False if something is left for `drain`."""

    @abstractmethod
    def unwritten(self) -> int:
        """Count the bytes that the client could have taken, and has not: a burst alone says nothing of him."""

    @abstractmethod
    async def drain(self) -> None:
        """Write until nothing waits, or the connection is gone."""

    @abstractmethod
    async def hang_up(self) -> None:
        """Write what waits, say that no more comes, and wait for the client to do the same.

        Closing at once would make the client's system drop what it has not read, if anything comes in between.
        """

    @abstractmethod
    def has_left(self) -> bool:
        """Say whether the client has closed his side, or is gone, as far as the system knows."""

    @abstractmethod
    def is_broken(self) -> bool:
        """Say whether nothing that is sent will reach the client: it has reset the connection."""

    @abstractmethod
    def silent_for(self) -> float:
        """Return the seconds since anything was sent; 0 where `has_left` is sure, or it is not known."""

    @abstractmethod
    async def acknowledged(self) -> bool:
        """Wait until the client's system has acknowledged all that was sent; False if it never will."""

    @abstractmethod
    async def read(self) -> bool:
        """Wait until the client sends something or closes its side; False if it resets: it has not read all."""

    @abstractmethod
    def abort(self) -> None:
        """Have nothing more sent, not even what the system has taken; it is closed as ever."""

    @abstractmethod
    def close(self) -> None:
        """Close at once; what waits is lost."""
