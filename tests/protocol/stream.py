"""The server's end of a connection that lies in memory; the client's end is synchronous, and may stop or break it."""

from __future__ import annotations

import trio


class MemoryStream(trio.abc.HalfCloseableStream):
    """Bytes both ways."""

    def __init__(self) -> None:
        self._sent = bytearray()
        self._said_all = self._broken = False
        self._news = trio.Event()
        self._reads = trio.Event()
        self._reads.set()
        self._written = bytearray()
        self.ended = False
        """Whether the server has said all."""

    # ------------------------------------------------------------------------------------------ the client's end

    def put(self, data: bytes) -> None:
        """Send; what comes behind the end is lost."""
        if not self._said_all:
            self._sent += data
            self._news.set()

    def put_eof(self) -> None:
        """Send nothing more."""
        self._said_all = True
        self._news.set()

    def take(self) -> bytes:
        """Read what has come."""
        data = bytes(self._written)
        self._written.clear()
        return data

    @property
    def stalled(self) -> bool:
        """Whether the client reads nothing."""
        return not self._reads.is_set()

    def stall(self) -> None:
        """Read nothing more."""
        self._reads = trio.Event()

    def resume(self) -> None:
        """Read again."""
        self._reads.set()

    def reset(self) -> None:
        """Break off, both ways."""
        self._broken = True
        self._news.set()
        self._reads.set()

    # ------------------------------------------------------------------------------------------ the server's end

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait for what the client sends."""
        await trio.lowlevel.checkpoint()
        while not (self._sent or self._said_all or self._broken):
            self._news = trio.Event()
            await self._news.wait()
        if self._broken:
            raise trio.BrokenResourceError("reset")
        data = bytes(self._sent[:max_bytes])
        del self._sent[:max_bytes]
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write, and wait until the client reads."""
        await trio.lowlevel.checkpoint()
        await self._reads.wait()
        if self._broken:
            raise trio.BrokenResourceError("reset")
        self._written += data

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the client reads."""
        await self._reads.wait()

    async def send_eof(self) -> None:
        """Say that nothing more comes."""
        await self.send_all(b"")
        self.ended = True

    async def aclose(self) -> None:
        """Close both ways."""
        self.ended = True
        await trio.lowlevel.checkpoint()
