"""When a process has nothing left to do: no message waits for it, and it waits for one.

The life of a process has no event for that, as each message would pay for it. While somebody asks, trio tells of each
step of a task (`trio.abc.Instrument`), and the processes that are asked about are looked at after their own steps.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, final

import trio

from phxactor.runtime.pid import Pid, current

if TYPE_CHECKING:
    from trio.lowlevel import Task


def is_idle(pid: Pid) -> bool:
    """Say whether a process has nothing left to do, or has ended. One that waits for the answer to a call is busy."""
    if not pid.alive:
        return True
    if pid.mailbox:
        return False
    if pid.port is not None:
        return not pid.port_busy
    return pid.waiter is not None and (pid.waiters is None or pid.idle)


@final
class IdleWatch(trio.abc.Instrument):
    """Who is told when which process has nothing left to do; of one runtime."""

    def __init__(self) -> None:
        self._asked: dict[Pid, dict[Pid, object]] = {}
        """For each process that is asked about: who asked, and the message that is sent there."""
        self._ports: dict[Pid, None] = {}
        """Those of them that take their messages by a port."""

    def ask(self, pid: Pid, asker: Pid, message: object) -> None:
        """Have a message sent once, when a process that is busy now has nothing left to do, or has ended."""
        if not self._asked:
            trio.lowlevel.add_instrument(self)
        self._asked.setdefault(pid, {})[asker] = message
        if pid.port is not None:
            self._ports[pid] = None

    def after_task_step(self, task: Task, /) -> None:
        """Look at the process of a task that has run; trio calls it, and would forget an instrument that raises."""
        pid = task.context.get(current)
        if pid in self._asked and is_idle(pid):
            self._tell(pid)

    def before_io_wait(self, timeout: float, /) -> None:
        """Look at the ports, which run as part of other tasks."""
        for pid in list(self._ports):
            if is_idle(pid):
                self._tell(pid)

    def _tell(self, pid: Pid) -> None:
        askers = self._asked.pop(pid)
        self._ports.pop(pid, None)
        if not self._asked:
            trio.lowlevel.remove_instrument(self)
        for asker, message in askers.items():
            pid.runtime.run_soon(partial(asker.deliver, message))
