"""Connections whose clients took less than there was: the reader wakes their tasks, a few in each pass.

They have an epoll object of their own, as newcomers have. So when ten thousand clients of a large output are ready for
more in the same moment, no other client waits until all have got it.
"""

from __future__ import annotations

import select
import socket
from typing import Final, final

from trio.lowlevel import Abort, RaiseCancelT, Task, current_task, reschedule, wait_task_rescheduled

FEW: Final = 16
"""Tasks that are woken in one pass: each writes as much as the system takes, some hundred kilobytes."""


@final
class Writables:
    """All such connections of one reader."""

    __slots__ = ("poll", "waiting")

    def __init__(self) -> None:
        self.poll = select.epoll()
        """Their epoll object; closed when the reader has ended."""
        self.waiting: dict[int, Task] = {}
        """The tasks by file descriptor."""

    async def wait(self, sock: socket.socket) -> bool:
        """Wait until a socket takes more, is closed, or the reader ends.

        Returns False without waiting if the reader has ended. Raises OSError at the system's limit for epoll.
        """
        if self.poll.closed:
            return False
        fileno = sock.fileno()
        self.poll.register(fileno, select.EPOLLOUT)
        task = self.waiting[fileno] = current_task()

        def stop_waiting(_: RaiseCancelT) -> Abort:
            if self.waiting.get(fileno) is task:
                self._discard(fileno)
            return Abort.SUCCEEDED

        await wait_task_rescheduled(stop_waiting)
        return True

    def close(self, sock: socket.socket) -> None:
        """Wake the task of a socket that is about to be closed."""
        if (fileno := sock.fileno()) in self.waiting:
            reschedule(self._discard(fileno))

    def read(self) -> None:
        """Wake a few tasks whose sockets take more."""
        for fileno, _ in self.poll.poll(0, FEW):
            reschedule(self._discard(fileno))

    def wake(self, _: object) -> None:
        """Wake all tasks, because the reader ends."""
        self.poll.close()
        waiting, self.waiting = self.waiting, {}
        for task in waiting.values():
            reschedule(task)

    def _discard(self, fileno: int) -> Task:
        self.poll.unregister(fileno)
        return self.waiting.pop(fileno)
