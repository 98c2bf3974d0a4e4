"""Time-outs by which others are judged: a client that is silent, a head that does not come, a join that takes long.

A program that was stopped (SIGSTOP, a virtual machine that paused, a handler that computes) finds all of them due at
once when it goes on, while what the others have sent in time waits in the sockets. So nobody is judged before all that
waits has been read and handled: that is when the scheduler finds nothing to run and nothing to read (`quiet`). And
after a pause each has as much time again as its end is late, up to `MOST` seconds: what was sent may be on its way.

A program that is never done, since it has more to do than it can, judges nevertheless, after `CATCH_UP` seconds. And
it judges a few in one pass: each end costs work, and ten thousand time-outs may be due at once.
"""

from __future__ import annotations

from heapq import heappush
from math import inf
from types import TracebackType
from typing import ClassVar, Final, final

import trio
from trio.lowlevel import Task, add_instrument, checkpoint, current_task, remove_instrument

from phxactor.runtime.timers import Timer, Timers

LATE: Final = 0.1
"""Seconds by which a program may be late, and has not paused: it was only busy."""
MOST: Final = 10.0
"""Seconds that a pause gives everybody in addition, at the most."""
CATCH_UP: Final = 5.0
"""Seconds after which a program that is never done judges all the same."""
AT_ONCE: Final = 32
"""Time-outs that are kept in one pass of the scheduler: what they end takes some 5 ms."""


class Patience(Timers):
    """Timers that fire at their time only if all that waits in the sockets has been read; else right after that."""

    async def run(self) -> None:
        """Fire timers for ever: the body of a task."""
        while True:
            await self._until_due()
            now, made_later = self.now(), next(self._numbers)
            with trio.move_on_after(CATCH_UP):
                await quiet()
            taken = 0
            while (entry := self._next_due(now, made_later)) is not None:
                self._judge(entry[0], entry[2], now)
                taken += 1
                if taken % AT_ONCE == 0:
                    await checkpoint()

    def _judge(self, deadline: float, timer: Timer, now: float) -> None:
        """Fire a timer, or give it more time once; a function, so that no variable of `run` keeps the last one."""
        late = now - timer.deadline
        if late > LATE and deadline == timer.deadline:  # else it has had that time
            heappush(self._heap, (now + min(late, MOST), next(self._numbers), timer))
        else:
            self._fire(timer)

    def move_on_after(self, seconds: float) -> Limit:
        """Cancel a block after so many seconds, as trio's `move_on_after`; `math.inf` for never."""
        return Limit(self, seconds)


@final
class Limit:
    """A block that is cancelled when its time is over; entered, it is a cancel scope of trio's."""

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
    """Counts the steps of tasks, but for those that wait for the same."""

    waiting: ClassVar[set[Task]] = set()

    def __init__(self) -> None:
        self.count = 0

    def before_task_step(self, task: Task, /) -> None:
        if task not in self.waiting:
            self.count += 1


async def quiet() -> None:
    """Wait for a pass of the scheduler in which nobody else runs: nothing that has come is left to be read.

    `trio.testing.wait_all_tasks_blocked` would do, but for what it imports. A socket that can be read wakes a task:
    its own, the reader's or the listener's. Of three steps of this task, one pass lies whole between first and last.
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
