"""A connection over a non-blocking socket: TCP or Unix, unencrypted. This is the fast one, since nearly all are.

The reader process reads the first bytes, and all bytes of a WebSocket with channels. Other code waits until the socket
is readable before it reads, since a read at once would nearly always fail. Writing is synchronous: `write` appends to
the buffer, and the flusher sends the whole buffer with one call.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, final

import trio
from trio.lowlevel import wait_readable, wait_writable

from phxactor.http import LEFT_OVER
from phxactor.net._acknowledged import (
    acknowledged,
    drop_unsent,
    has_left,
    is_broken,
    outstanding,
    read,
    silent_for,
    traffic,
)
from phxactor.net._base_connection import READ_SIZE, BaseConnection, Take
from phxactor.net._watching import in_background
from phxactor.runtime import fork

if TYPE_CHECKING:
    from phxactor.net._flusher import Flusher
    from phxactor.net._reader import Reader


MUCH: Final = 65536
"""Bytes of output from which on its pieces are not put together."""
PIECES: Final = 1024
"""Pieces that one system call takes (IOV_MAX of Linux)."""
PORTION: Final = 262144
"""Bytes of much output that a task which waits for room writes in one go: the system copies them meanwhile."""


@final
class Connection(BaseConnection):
    """One accepted connection."""

    __slots__ = ("_reader", "_send", "_sock")

    def __init__(self, sock: socket.socket, flusher: Flusher, reader: Reader | None = None) -> None:
        """Take over a connected socket; without a reader, the calling task reads."""
        super().__init__(flusher.mark)
        self._reader = reader
        sock.settimeout(0)
        self._sock = sock
        self._send = sock.send

    async def receive_first(self, seconds: float) -> bytes:
        """Wait for the client's first bytes by the reader, which is faster than a wait in this task."""
        if self._reader is None:
            return await super().receive_first(seconds)
        return await self._reader.first(self._sock, seconds)

    async def receive_some(self, max_bytes: int = READ_SIZE, /) -> bytes:
        """Wait for bytes; b"" means that the client has closed. Raises trio.BrokenResourceError on a reset."""
        if self._reader is not None and (data := await self._reader.receive(self._sock, max_bytes)) is not None:
            return data
        while True:
            await wait_readable(self._sock)
            try:
                return self._sock.recv(max_bytes)
            except BlockingIOError:
                continue
            except OSError as error:
                raise trio.BrokenResourceError(str(error)) from error

    def feed(self, take: Take, max_bytes: int = READ_SIZE) -> Awaitable[None]:
        """Read until the client closes: by the reader, or without one in this task. Raises as `receive_some` does."""
        if self._reader is not None:
            return self._reader.feed(self._sock, take, max_bytes)
        return self._feed(take, max_bytes)

    async def _feed(self, take: Take, max_bytes: int) -> None:
        while data := await self.receive_some(max_bytes):
            held = take(data)
            if held is not None:
                await held

    def watch(self, left: Callable[[], None]) -> Callable[[], None]:
        """Watch by the reader; without one by a task, which stops at the first bytes: they hide a FIN behind them."""
        if self._reader is not None:
            return self._reader.watch(self._sock, left)
        return in_background(self._wait_for_the_end, left)

    async def _wait_for_the_end(self) -> bool:
        while True:
            await wait_readable(self._sock)
            try:
                return not self._sock.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                continue

    async def send_all(self, data: bytes, /) -> None:
        """Write, and wait until the kernel has taken all. Raises trio.BrokenResourceError if the client is gone."""
        if self.size:
            self.append(data)
        else:
            self.head = data
            self.size = len(data)
        await trio.lowlevel.checkpoint()
        if self.size and not self.flush():
            await self.drain()
        if self.closed:
            raise trio.BrokenResourceError("the connection is gone")

    def flush(self) -> bool:
        """Send the output with one system call.

        Return False if the kernel did not take all of it, and also if it was much in several pieces.
        """
        if self.tail is None:
            data = self.head
        elif self.size > MUCH:
            self._flush_pieces(self.size)
            return False
        else:
            data = self.take_output()
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError:  # a reset: the reading side sees it too, and ends the process
            self.drop_output()
            return True
        if sent == len(data):
            self.head = b""
            self.size = 0
            return True
        self.head = memoryview(data)[sent:]
        self.size = len(data) - sent
        return False

    def _flush_pieces(self, most: int) -> None:
        """Send at most so many bytes of much output, piece by piece: what many connections share is copied for none."""
        pieces = [self.head] if self.tail is None else [self.head, *self.tail]
        portion: list[bytes | memoryview] = []
        room = most
        for piece in pieces[:PIECES]:
            portion.append(piece if len(piece) <= room else memoryview(piece)[:room])
            room -= len(piece)
            if room <= 0:
                break
        try:
            sent = self._sock.sendmsg(portion)
        except BlockingIOError:
            return
        except OSError:
            self.drop_output()
            return
        self.size -= sent
        done = 0
        while done < len(pieces) and sent >= len(pieces[done]):
            sent -= len(pieces[done])
            done += 1
        if self.size:
            self.head = memoryview(pieces[done])[sent:]
            self.tail = pieces[done + 1 :] or None
        else:
            self.head = b""
            self.tail = None

    def unwritten(self) -> int:
        """Return the output left after a flush; a child of `os.fork` does not flush, the connection is the parent's."""
        if self.size and self.drain_scope is None and fork.child is None:
            self.flush()
        return self.size

    async def drain(self) -> None:
        """Write the output as the kernel takes it."""
        try:
            while self.size:
                if self._reader is None:
                    await wait_writable(self._sock)
                else:
                    await self._reader.writable(self._sock)
                if self.size > MUCH:
                    self._flush_pieces(PORTION)
                else:
                    self.flush()
        except trio.ClosedResourceError:
            self.drop_output()

    async def hang_up(self) -> None:
        """Write the output, close this side, and read until the client has closed its side."""
        try:
            if self.size and not self.flush():
                await self.drain()
            if not self.closed:
                self._sock.shutdown(socket.SHUT_WR)
                left = LEFT_OVER
                while left > 0 and (data := await self.receive_some()):
                    left -= len(data)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            self.drop_output()

    def traffic(self) -> tuple[int, int] | None:
        """Return the bytes that came, and those that the client has acknowledged, as the system has counted them."""
        return traffic(self._sock)

    def outstanding(self) -> int:
        """Return the bytes that the system has taken, and the client has not acknowledged."""
        try:
            return outstanding(self._sock)
        except OSError:
            return 0

    def has_left(self) -> bool:
        """Say whether the client has closed its side or reset."""
        return has_left(self._sock)

    def is_broken(self) -> bool:
        """Say whether the client has reset the connection."""
        return is_broken(self._sock)

    def silent_for(self) -> float:
        """Return the seconds since bytes were sent last; 0 if that is unknown, or if `has_left` is always right."""
        return silent_for(self._sock)

    async def acknowledged(self) -> bool:
        """Wait until the client's system has acknowledged all sent bytes; False if it never will."""
        return not self.size and await acknowledged(self._sock)

    async def read(self) -> bool:
        """Wait until the client sends bytes or closes its side; False if it resets."""
        return await read(self._sock)

    def abort(self) -> None:
        """Discard all output; when the connection is closed, the client sees a reset."""
        self.drop_output()
        drop_unsent(self._sock)

    def close(self) -> None:
        """Close at once; output that waits is lost."""
        self.drop_output()
        trio.lowlevel.notify_closing(self._sock)
        if self._reader is not None:
            self._reader.close(self._sock)
        self._sock.close()
