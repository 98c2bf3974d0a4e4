"""A connection that the reader feeds."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Coroutine
from typing import Final, final

import trio
from trio.lowlevel import Abort, RaiseCancelT, Task, current_task, reschedule

from phxactor.net._base_connection import Take

QUIET: Final = 1000
"""The age of a connection that is quiet."""


@final
class Reading:
    """A connection that the reader feeds: its socket, its `take`, and its sleeping task."""

    __slots__ = ("age", "context", "error", "held", "last", "max_bytes", "receive", "take", "task")

    last: float
    """While it is quiet: when it was read last, on the system's clock; not set before."""

    def __init__(self, sock: socket.socket, take: Take, max_bytes: int) -> None:
        self.age = 0
        """How often the reader has looked at all connections since this one was read; `QUIET` for a quiet one."""
        self.receive = sock.recv
        self.max_bytes = max_bytes
        self.take = take
        task = current_task()
        self.context = task.context
        """The context of the connection's process, for `take`."""
        self.task: Task | None = task
        """The connection's task while it sleeps; None once it is woken."""
        self.held: Awaitable[None] | None = None
        """The awaitable that `take` returned: the task awaits it before more is read."""
        self.error: BaseException | None = None
        """The exception for the task to raise: of `take`, or for a broken connection."""

    def read(self) -> None:
        """Read once and call `take`; wake the task at the end of input, or if `take` returned an awaitable."""
        if self.task is None:
            return
        try:
            data = self.receive(self.max_bytes)
        except BlockingIOError:
            return
        except OSError as error:
            self.wake(trio.BrokenResourceError(str(error)))
            return
        if data:
            try:
                held = self.context.run(self.take, data)
            except BaseException as error:  # noqa: BLE001 - the connection's task raises it again
                self.wake(error)
                return
            self.age = 0
            if held is None:
                return
            self.held = held
            if not self._is_awaited() and isinstance(held, Coroutine):  # the process was ended meanwhile
                held.close()
        self.wake(None)

    def _is_awaited(self) -> bool:
        return self.task is not None

    def wake(self, error: BaseException | None) -> None:
        """Wake the task, to raise `error` if it is not None."""
        if self.task is not None:
            self.error = error
            reschedule(self.task)
            self.task = None

    def stop_waiting(self, _: RaiseCancelT) -> Abort:
        """Let the task be cancelled."""
        self.task = None
        return Abort.SUCCEEDED
