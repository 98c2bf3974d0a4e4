"""Notices when a process is idle: its mailbox is empty, and it waits for a message.

No event reports this, since it would cost time on every message. While a process has asked about another one, a
`trio.abc.Instrument` checks the process that is asked about after each step of its task.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, final

import trio

from phxactor.runtime._pid import Pid, current

if TYPE_CHECKING:
    from trio.lowlevel import Task


def is_idle(pid: Pid) -> bool:
    """Return whether a process is idle or has ended. A process that waits for the answer to a call is busy."""
    if not pid.alive:
        return True
    if pid.mailbox:
        return False
    if pid.port is not None:
        return not pid.port_busy
    return pid.waiter is not None and (pid.waiters is None or pid.idle)


@final
class IdleWatch(trio.abc.Instrument):
    """Sends messages when processes of one runtime become idle."""

    def __init__(self) -> None:
        self._asked: dict[Pid, dict[Pid, object]] = {}
        """For each process that is asked about: the askers, and the message to send to each."""
        self._ports: dict[Pid, None] = {}
        """The processes in `_asked` that take their messages by a port."""

    def ask(self, pid: Pid, asker: Pid, message: object) -> None:
        """Send `message` to `asker` once, when `pid`, which is busy now, becomes idle or has ended."""
        if not self._asked:
            trio.lowlevel.add_instrument(self)
        self._asked.setdefault(pid, {})[asker] = message
        if pid.port is not None:
            self._ports[pid] = None

    def after_task_step(self, task: Task, /) -> None:
        """Check the process of the task that has just run. It must not raise: trio would remove the instrument."""
        pid = task.context.get(current)
        if pid in self._asked and is_idle(pid):
            self._tell(pid)

    def before_io_wait(self, timeout: float, /) -> None:
        """Check the processes with ports: a port runs in steps of other tasks."""
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
