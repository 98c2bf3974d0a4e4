"""Connections whose client's end is synchronous: what is sent is there at once, and what has come is taken at once.

One is a stream in memory, whose client may also stop reading; the other is a pair of sockets, which the server reads
and writes as it does those that it has accepted. The system hands on what is written to a pair at once, so that with it
nothing happens by chance either.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Final, Protocol

import trio

from phxactor import Endpoint
from phxactor.endpoint._connection_process import start_connection
from phxactor.http import PeerData
from phxactor.otp import ChildSpec, DynamicSupervisor

CHUNK: Final = 65536


class Wire(Protocol):
    """A connection, seen from its client."""

    @property
    def ended(self) -> bool:
        """Whether the server has said all."""

    async def serve(self, endpoint: Endpoint) -> None:
        """Have the other end served."""

    def put(self, data: bytes) -> None:
        """Send; what comes behind the end is lost."""

    def put_eof(self) -> None:
        """Send nothing more."""

    def take(self) -> bytes:
        """Read what has come."""

    def reset(self) -> None:
        """Break off, both ways."""

    def close(self) -> None:
        """Let go of what the system gave."""


class SocketPair:
    """A connection over two sockets."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self.ended = False

    async def serve(self, endpoint: Endpoint) -> None:
        """Have it served as one that was accepted."""
        spec = ChildSpec(
            id="connection",
            start=(start_connection, (endpoint.serving, self._theirs, PeerData("pair", 0)), {}),
            restart="temporary",
        )
        (await DynamicSupervisor.start_child(endpoint.serving.supervisor_of(0), spec)).unwrap()

    def put(self, data: bytes) -> None:
        """Send."""
        with suppress(BrokenPipeError, ConnectionResetError):
            assert self._ours.send(data) == len(data)

    def put_eof(self) -> None:
        """Send nothing more."""
        with suppress(OSError):  # the server has closed it
            self._ours.shutdown(socket.SHUT_WR)

    def take(self) -> bytes:
        """Read what has come."""
        taken = bytearray()
        with suppress(BlockingIOError, ConnectionResetError):
            while data := self._ours.recv(CHUNK):
                taken += data
            self.ended = True
        return bytes(taken)

    def reset(self) -> None:
        """Break off, both ways."""
        self._ours.close()

    def close(self) -> None:
        """Let go of our end; the other is the server's to close."""
        self._ours.close()


class MemoryStream(trio.abc.HalfCloseableStream):
    """Bytes both ways."""

    def __init__(self) -> None:
        self._sent = bytearray()
        self._said_all = self._broken = False
        self._news = trio.Event()
        self._reads = trio.Event()
        self._reads.set()
        self._written = bytearray()
        self._ended = False

    # ------------------------------------------------------------------------------------------ the client's end

    @property
    def ended(self) -> bool:
        """Whether the server has said all, and the client may hear of it."""
        return self._ended and self._reads.is_set()

    async def serve(self, endpoint: Endpoint) -> None:
        """Have it served as any stream."""
        (await endpoint.serve_stream(self)).unwrap()

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
        """Read what has come, unless nothing is read."""
        if not self._reads.is_set():
            return b""
        data = bytes(self._written)
        self._written.clear()
        return data

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

    def close(self) -> None:
        """There is nothing to let go of."""

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
        self._ended = True

    async def aclose(self) -> None:
        """Close both ways."""
        self._ended = True
        await trio.lowlevel.checkpoint()
