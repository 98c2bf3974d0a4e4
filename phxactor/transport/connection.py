"""A connection: a non-blocking socket, what waits to be written to it, and who is told when something does.

Reading waits first and then reads: trying first costs a system call that fails nearly always. Writing is synchronous:
`write` appends, and the flusher sends all that has gathered with one call.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final, final

import trio

if TYPE_CHECKING:
    from phxactor.transport.flusher import Flusher

READ_SIZE: Final = 65536
"""Bytes that one read takes at most."""


@final
class Connection:
    """One accepted TCP or Unix connection. It is also a `Stream`, for HTTP."""

    __slots__ = ("_flusher", "_output", "_send", "closed", "dirty", "drain_scope", "finishing", "size", "sock")

    def __init__(self, sock: socket.socket, flusher: Flusher) -> None:
        """Take over a connected socket."""
        sock.settimeout(0)
        self.sock = sock
        self._send = sock.send
        self._flusher = flusher
        self._output: list[bytes] = []
        self.size = 0
        """Bytes that wait to be written."""
        self.dirty = False
        """Whether the flusher knows that something waits."""
        self.drain_scope: trio.CancelScope | None = None
        """While the kernel takes no more, or the end is near: the scope of the flusher's task that writes to it."""
        self.finishing = False
        """Whether it is to be closed once everything is written."""
        self.closed = False

    async def receive_some(self, max_bytes: int = READ_SIZE, /) -> bytes:
        """Wait for bytes; none at all means the end. Raises trio.BrokenResourceError on a reset."""
        while True:
            await trio.lowlevel.wait_readable(self.sock)
            try:
                return self.sock.recv(max_bytes)
            except BlockingIOError:
                continue
            except OSError as error:
                raise trio.BrokenResourceError(str(error)) from error

    async def send_all(self, data: bytes, /) -> None:
        """Write, and wait until the kernel has taken everything. Raises trio.BrokenResourceError."""
        self._output.append(data)
        self.size += len(data)
        await trio.lowlevel.checkpoint()
        while self.size and not self.flush():
            await trio.lowlevel.wait_writable(self.sock)
        if self.closed:
            raise trio.BrokenResourceError("the connection is gone")

    def write(self, data: bytes) -> None:
        """Have bytes sent in this pass of the scheduler; dropped once the connection is gone."""
        self._output.append(data)
        self.size += len(data)
        if not self.dirty:
            self.dirty = True
            self._flusher.mark(self)

    def flush(self) -> bool:
        """Send what waits, with one system call; False if the kernel did not take everything."""
        output = self._output
        data = output[0] if len(output) == 1 else b"".join(output)
        output.clear()
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError:  # reset: the reader hears of it, and ends the process
            self.closed = True
            self.size = 0
            return True
        if sent == len(data):
            self.size = 0
            return True
        output.append(data[sent:])
        self.size = len(data) - sent
        return False

    def shut_down_writing(self) -> None:
        """Say that no more comes; the client's side stays open."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close at once; what waits is lost."""
        self.closed = True
        self._output.clear()
        self.size = 0
        trio.lowlevel.notify_closing(self.sock)
        self.sock.close()
