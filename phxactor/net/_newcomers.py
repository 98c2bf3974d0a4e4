"""Connections that speak HTTP or have sent nothing yet. The reader receives for their tasks, from a few in each pass.

They have an epoll object of their own, which is registered in that of the reader as one more connection. So when ten
thousand of them send their first bytes, or leave, in the same moment, no connected client waits for them.
"""

from __future__ import annotations

import select
import socket
from typing import Final, final

from trio.lowlevel import Abort, RaiseCancelT, Task, current_task, reschedule

FEW: Final = 16
"""Connections that are read from in one pass: each may cause the work of a request, or of an end."""


@final
class Newcomer:
    """A connection whose task waits for one read."""

    __slots__ = ("data", "error", "fileno", "size", "sock", "task")

    def __init__(self, sock: socket.socket, size: int) -> None:
        self.sock = sock
        self.fileno = sock.fileno()
        self.size = size
        self.task: Task | None = current_task()
        self.data: bytes | None = None
        self.error: str | None = None
        """What the system says of a reset; the exception itself would hold this object by its traceback."""

    def read(self) -> None:
        """Read once."""
        try:
            self.data = self.sock.recv(self.size)
        except BlockingIOError:
            return
        except OSError as error:
            self.error = str(error)
        self.wake(None)

    def wake(self, _: object) -> None:
        """Wake the task."""
        if self.task is not None:
            reschedule(self.task)
            self.task = None

    def stop_waiting(self, _: RaiseCancelT) -> Abort:
        """Let the task be cancelled."""
        self.task = None
        return Abort.SUCCEEDED


@final
class Newcomers:
    """All such connections of one reader."""

    __slots__ = ("poll", "waiting")

    def __init__(self) -> None:
        self.poll = select.epoll()
        """Their epoll object; closed when the reader has ended."""
        self.waiting: dict[int, Newcomer] = {}
        """The connections by file descriptor."""

    def add(self, sock: socket.socket, size: int) -> Newcomer:
        """Have one read of `size` bytes for the current task. Raises OSError at the system's limit for epoll."""
        fileno = sock.fileno()
        self.poll.register(fileno, select.EPOLLIN)
        self.waiting[fileno] = one = Newcomer(sock, size)
        return one

    def discard(self, one: Newcomer) -> None:
        """Stop reading for a task, unless that has happened already: its descriptor may be another's by then."""
        fileno = one.fileno
        if self.waiting.get(fileno) is one:
            del self.waiting[fileno]
            if not self.poll.closed:
                self.poll.unregister(fileno)

    def close(self, sock: socket.socket) -> None:
        """Wake the task that waits for a socket, which is about to be closed."""
        one = self.waiting.get(sock.fileno())
        if one is not None:
            self.discard(one)
            one.error = "the connection was closed here"
            one.wake(None)

    def read(self) -> None:
        """Read from a few of them."""
        waiting = self.waiting
        for fileno, _ in self.poll.poll(0, FEW):
            waiting[fileno].read()

    def wake(self, _: object) -> None:
        """Wake all tasks without data, because the reader ends."""
        self.poll.close()
        for one in self.waiting.values():
            one.wake(None)
