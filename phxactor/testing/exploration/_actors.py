"""The process of a task."""

from __future__ import annotations

from trio.lowlevel import Task

from phxactor.runtime import Pid, current


def process_of(task: Task) -> Pid | None:
    """Return the process of a task; None for other tasks, such as that of the timers."""
    pid = task.context.get(current)
    if pid is None:  # a process that has not run yet has it among its arguments only
        frame = getattr(task.coro, "cr_frame", None)
        pid = None if frame is None else frame.f_locals.get("pid")
    return pid if isinstance(pid, Pid) else None
