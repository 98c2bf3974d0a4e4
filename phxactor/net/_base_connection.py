"""The interface of a connection for transports and the flusher, and its output buffer."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeAlias

import trio

from phxactor.runtime import self_pid

READ_SIZE: Final = 65536
"""Most bytes of one read."""

Take: TypeAlias = Callable[[bytes], Awaitable[None] | None]
"""A function that takes received bytes; it returns an awaitable to await before the next read, or None."""


class BaseConnection(ABC):
    """A connection. It is also a `Stream`: its methods raise trio.BrokenResourceError if the connection is gone."""

    __slots__ = ("closed", "drain_scope", "drained", "finishing", "head", "limit", "mark", "size", "tail")

    def __init__(self, mark: Callable[[BaseConnection], None]) -> None:
        self.mark = mark
        """The flusher's function to call when output appears in an empty buffer."""
        self.head: bytes | memoryview = b""
        """The first piece of the output that waits: nearly always the only one, so it needs no list."""
        self.tail: list[bytes | memoryview] | None = None
        """The pieces behind `head`; None if there are none."""
        self.limit = sys.maxsize
        """High-water mark of the output in bytes; above it the writer calls `WebSocket.judge_output`."""
        self.size = 0
        """Bytes of output that wait."""
        self.drain_scope: trio.CancelScope | None = None
        """The scope of the flusher's task that drains or closes this connection; None if there is no such task."""
        self.drained: trio.Event | None = None
        """The event that the flusher sets when such a task ends; None if no task waits for it."""
        self.finishing = False
        """Whether the flusher closes the connection once its output is written."""
        self.closed = False
        """Whether output is dropped: the connection is closed or broken."""

    def write(self, data: bytes) -> None:
        """Queue bytes for the flusher, which sends them in this pass, or drops them if the connection is gone."""
        if self.size:
            self.append(data)
        else:
            self.head = data
            self.size = len(data)
            self.mark(self)

    def append(self, data: bytes) -> None:
        """Queue bytes behind output that waits already."""
        if self.tail is None:
            self.tail = [data]
        else:
            self.tail.append(data)
        self.size += len(data)

    def take_output(self) -> bytes | memoryview:
        """Empty the buffer and return its bytes; the caller sets `size` when they are written."""
        data = self.head if self.tail is None else b"".join((self.head, *self.tail))
        self.head = b""
        self.tail = None
        return data

    def drop_output(self) -> None:
        """Drop the output and mark the connection as closed."""
        self.closed = True
        self.head = b""
        self.tail = None
        self.size = 0

    async def receive_first(self, seconds: float) -> bytes:
        """Wait for the client's first bytes; b"" if it leaves, or sends nothing for `seconds`."""
        with self_pid().runtime.patience.move_on_after(seconds), suppress(trio.BrokenResourceError):
            return await self.receive_some()
        return b""

    @abstractmethod
    async def receive_some(self, max_bytes: int = READ_SIZE, /) -> bytes:
        """Wait for bytes and return them; b"" means that the client has closed its side."""

    @abstractmethod
    def watch(self, left: Callable[[], None]) -> Callable[[], None]:
        """Call `left` once if the client leaves while no task reads; return a function that ends the watch.

        A client leaves by closing its side (a FIN) or by a reset. Bytes that arrive meanwhile stay for the next read.
        If they hide a FIN behind them, `left` is not called. There may be only one watch at a time.
        """

    def traffic(self) -> tuple[int, int] | None:
        """Return the bytes that came and those that the client has acknowledged; None if unknown."""
        return None

    def outstanding(self) -> int:
        """Return the bytes that the system took and the client has not acknowledged; 0 if unknown."""
        return 0

    async def until_left(self) -> None:
        """Wait until the client has left, without reading."""
        left = trio.Event()
        stop = self.watch(left.set)
        try:
            await left.wait()
        finally:
            stop()

    @abstractmethod
    async def send_all(self, data: bytes, /) -> None:
        """Write, and wait until the system or the stream has taken all bytes."""

    @abstractmethod
    def feed(self, take: Take, max_bytes: int = READ_SIZE) -> Awaitable[None]:
        """Read until the client closes; call `take` with each piece of at most `max_bytes`."""

    @abstractmethod
    def flush(self) -> bool:
        """Send as much output as possible without waiting.

        Return False if some is left for `drain`, or if it was so much that it has taken long.
        """

    @abstractmethod
    def unwritten(self) -> int:
        """Return the bytes of output that the client could have taken and has not; bytes of just now do not count."""

    @abstractmethod
    async def drain(self) -> None:
        """Write until no output waits, or the connection is gone."""

    @abstractmethod
    async def hang_up(self) -> None:
        """Write the output, close this side, and wait for the client to close its side.

        If the server closed both sides at once, bytes from the client would cause a reset, and the client's system
        would drop the answer unread.
        """

    @abstractmethod
    def has_left(self) -> bool:
        """Say whether the client has closed its side or reset, as far as the system knows."""

    @abstractmethod
    def is_broken(self) -> bool:
        """Say whether the client has reset the connection, so that nothing can reach it."""

    @abstractmethod
    def silent_for(self) -> float:
        """Return the seconds since bytes were sent last; 0 if that is unknown, or if `has_left` is always right."""

    @abstractmethod
    async def acknowledged(self) -> bool:
        """Wait until the client's system has acknowledged all sent bytes; False if it never will."""

    @abstractmethod
    async def read(self) -> bool:
        """Wait until the client sends bytes or closes its side; False if it resets: it has not read everything."""

    @abstractmethod
    def abort(self) -> None:
        """Discard all output, even bytes that the system has taken; the caller still closes the connection."""

    @abstractmethod
    def close(self) -> None:
        """Close at once; output that waits is lost."""
