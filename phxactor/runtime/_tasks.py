"""Finding the task of a process, for people who look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio
from trio.lowlevel import checkpoint

from phxactor.runtime._pid import current

if TYPE_CHECKING:
    from phxactor.runtime._pid import Pid

SLICE: Final = 500
"""Tasks that are looked at without a pause."""


async def task_of(pid: Pid) -> trio.lowlevel.Task | None:
    """Return the task that a process began with; None if it has ended, or if it is `main`.

    At once if the process waits for a message, else in slices through all tasks of the runtime.
    """
    if isinstance(pid.waiter, trio.lowlevel.Task):
        return pid.waiter
    for place, task in enumerate(pid.runtime.tasks(), 1):
        if task.context.get(current) is pid:
            return task
        if place % SLICE == 0:
            await checkpoint()
    return None
