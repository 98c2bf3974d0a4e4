"""A stream of trio over a connection that asyncio holds: what asyncio receives is read here, what is sent goes back.

asyncio's side calls `feed`, `feed_eof`, `lose`, `pause` and `resume`; a connection's process reads and writes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

import trio

MUCH: Final = 65536
"""Bytes that wait to be read above which asyncio's side stops receiving."""


class AsyncioSide(ABC):
    """asyncio's side of a stream: where its output goes."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Take output; it may call `HostStream.pause` if it has much."""

    @abstractmethod
    def write_eof(self) -> None:
        """Take the end of the output."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection at once; called once at least."""

    @abstractmethod
    def wants_input(self) -> None:
        """Go on receiving, after `feed` has returned False."""


class HostStream(trio.abc.HalfCloseableStream):
    """The stream, for a connection's process. Call everything in the thread of the loop."""

    def __init__(self, side: AsyncioSide) -> None:
        self._side = side
        self._input = bytearray()
        self._full = False
        self._ended = False
        self._lost = False
        self._reset = False
        self._cut = False
        """Whether the connection ended while a write waited: it is not known what has arrived."""
        self._closed = False
        self._readable = trio.Event()
        self._writable = trio.Event()
        self._writable.set()

    # ---------------------------------------------------------------------------------- of asyncio's side

    def feed(self, data: bytes) -> bool:
        """Take received bytes; False means: receive no more until `AsyncioSide.wants_input`."""
        self._input += data
        self._readable.set()
        self._full = len(self._input) > MUCH
        return not self._full

    def feed_eof(self) -> None:
        """Take the end of the client's output."""
        self._ended = True
        self._readable.set()

    def lose(self, *, reset: bool) -> None:
        """Take the end of the connection: writes raise trio.BrokenResourceError now; after a reset, reads too."""
        self._cut = self._cut or not self._writable.is_set()
        self._lost = self._ended = True
        self._reset = self._reset or reset
        self._readable.set()
        self._writable.set()

    def pause(self) -> None:
        """Have writes wait."""
        self._writable = trio.Event()

    def resume(self) -> None:
        """Let writes go on."""
        self._writable.set()

    # ------------------------------------------------------------------------------------- of trio's side

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait for bytes; b"" is the end."""
        await trio.lowlevel.checkpoint()
        while not self._input:
            self._check(self._reset)
            if self._ended:
                return b""
            self._readable = trio.Event()
            await self._readable.wait()
        end = len(self._input) if max_bytes is None else max_bytes
        data = bytes(self._input[:end])
        del self._input[:end]
        if self._full and not self._input:
            self._full = False
            self._side.wants_input()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Hand bytes to asyncio's side, and wait until it takes more."""
        await trio.lowlevel.checkpoint()
        self._check(self._lost)
        self._side.write(bytes(data))
        await self.wait_send_all_might_not_block()
        self._check(self._cut)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until asyncio's side takes more."""
        await self._writable.wait()

    async def send_eof(self) -> None:
        """End the output."""
        await trio.lowlevel.checkpoint()
        self._check(self._lost)
        self._side.write_eof()

    async def aclose(self) -> None:
        """Close the connection."""
        if not self._closed:
            self._closed = True
            self.lose(reset=False)
            self._side.close()
        await trio.lowlevel.checkpoint()

    def _check(self, lost: bool) -> None:  # noqa: FBT001 - a private question
        if self._closed:
            raise trio.ClosedResourceError("the stream is closed")
        if lost:
            raise trio.BrokenResourceError("the client has left")
