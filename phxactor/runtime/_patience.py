"""Time-outs on other parties: a silent client, a request head that does not come, a join that takes long.

When a stopped program (SIGSTOP, a paused virtual machine, a handler that computes) goes on, all its time-outs are due
at once, while data that arrived in time still waits in the sockets. So a time-out fires only after all waiting data
has been read and handled, which is when the scheduler finds nothing to run and nothing to read (`quiet`). And after a
pause each time-out is extended once, by as much as it is late, up to `MOST` seconds: data may still be on its way.

An overloaded program never finds a quiet moment, so its time-outs fire after `CATCH_UP` seconds. They fire a few in
each pass of the scheduler: ten thousand may be due at once, and each costs work.
"""

from __future__ import annotations

from heapq import heappush
from math import inf
from types import TracebackType
from typing import ClassVar, Final, final

import trio
from trio.lowlevel import Task, add_instrument, checkpoint, current_task, remove_instrument

from phxactor.runtime._timers import Timer, Timers

LATE: Final = 0.1
"""Seconds by which a time-out may be late in a program that is busy; beyond that the program has paused."""
MOST: Final = 10.0
"""Seconds by which a pause extends a time-out, at most."""
CATCH_UP: Final = 5.0
"""Seconds to wait for a quiet moment before due time-outs fire anyway."""
AT_ONCE: Final = 32
"""Number of time-outs that fire in one pass of the scheduler."""


class Patience(Timers):
    """Timers that fire once they are due and all data that waits in the sockets has been read."""

    async def run(self) -> None:
        """Fire timers for ever: the body of a task."""
        while True:
            await self._until_due()
            now, made_later = self.now(), next(self._numbers)
            with trio.move_on_after(CATCH_UP):
                await quiet()
            taken = 0
            while (entry := self._next_due(now, made_later)) is not None:
                self._fire_or_extend(entry[0], entry[2], now)
                taken += 1
                if taken % AT_ONCE == 0:
                    await checkpoint()

    def _fire_or_extend(self, deadline: float, timer: Timer, now: float) -> None:
        """Fire a timer, or extend it once. A function of its own, so that no variable of `run` keeps the last timer."""
        late = now - timer.deadline
        if late > LATE and deadline == timer.deadline:  # else it has been extended already
            heappush(self._heap, (now + min(late, MOST), next(self._numbers), timer))
        else:
            self._fire(timer)

    def move_on_after(self, seconds: float) -> Limit:
        """Cancel a block after `seconds`, as trio's `move_on_after` does; `math.inf` means never."""
        return Limit(self, seconds)


@final
class Limit:
    """A block that is cancelled when its time is over; `with` gives its `trio.CancelScope`."""

    __slots__ = ("_patience", "_scope", "_seconds", "_timer")

    def __init__(self, patience: Patience, seconds: float) -> None:
        self._patience = patience
        self._seconds = seconds
        self._scope = trio.CancelScope()
        self._timer: Timer | None = None

    def __enter__(self) -> trio.CancelScope:
        if self._seconds != inf:
            self._timer = self._patience.add(self._seconds, trio.CancelScope.cancel, self._scope)
        return self._scope.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if self._timer is not None:
            self._patience.discard(self._timer)
        return self._scope.__exit__(kind, error, traceback)


class _Steps(trio.abc.Instrument):
    """Counts the steps of tasks, except of tasks that are themselves in `quiet`."""

    waiting: ClassVar[set[Task]] = set()

    def __init__(self) -> None:
        self.count = 0

    def before_task_step(self, task: Task, /) -> None:
        if task not in self.waiting:
            self.count += 1


async def quiet() -> None:
    """Wait for a pass of the scheduler in which no other task runs: then all data that has come has been read.

    A readable socket wakes a task: the connection's, the reader's or the listener's. Two successive checkpoints of
    this task without another step in between enclose one whole pass. `trio.testing.wait_all_tasks_blocked` would do
    the same, but imports much more.
    """
    steps, task = _Steps(), current_task()
    add_instrument(steps)
    steps.waiting.add(task)
    try:
        passes = 0
        while passes < 2:  # noqa: PLR2004 - see above
            steps.count = 0
            await checkpoint()
            passes = 0 if steps.count else passes + 1
    finally:
        steps.waiting.discard(task)
        remove_instrument(steps)
