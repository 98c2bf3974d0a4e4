"""What a transport and the flusher need of a connection, whatever it runs over; and the bytes that wait in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import trio

READ_SIZE: Final = 65536
"""Bytes that one read takes at most."""
LEFT_OVER: Final = 4 * 1024 * 1024
"""Bytes that a client may still send while it is hung up on: who sends more does not listen."""

Take: TypeAlias = Callable[[bytes], Awaitable[None] | None]
"""Takes what was read; returns what is to be awaited before more is, or None."""


class BaseConnection(ABC):
    """A connection. It is also a `Stream`, for HTTP: both raise trio.BrokenResourceError when it is gone."""

    __slots__ = ("closed", "dirty", "drain_scope", "finishing", "mark", "output", "size")

    def __init__(self, mark: Callable[[BaseConnection], None]) -> None:
        self.mark = mark
        """Tells the flusher that something waits."""
        self.output: list[bytes] = []
        """What waits to be written; see `write`."""
        self.size = 0
        """Bytes that wait to be written."""
        self.dirty = False
        """Whether the flusher knows that something waits."""
        self.drain_scope: trio.CancelScope | None = None
        """While no more is taken at once, or the end is near: the scope of the flusher's task that writes to it."""
        self.finishing = False
        """Whether it is to be closed once everything is written."""
        self.closed = False

    def write(self, data: bytes) -> None:
        """Have bytes sent in this pass of the scheduler; dropped once the connection is gone."""
        self.output.append(data)
        self.size += len(data)
        if not self.dirty:
            self.dirty = True
            self.mark(self)

    def drop_output(self) -> None:
        """Forget what waits: nobody will read it."""
        self.closed = True
        self.output.clear()
        self.size = 0

    @abstractmethod
    def receive_now(self, max_bytes: int = READ_SIZE) -> bytes:
        """Take what has come already, if anything has and it can be told without waiting; never raises."""

    @abstractmethod
    async def receive_some(self, max_bytes: int = READ_SIZE, /) -> bytes:
        """Wait for bytes; none at all means the end."""

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
    def behind(self) -> int:
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
    def close(self) -> None:
        """Close at once; what waits is lost."""
