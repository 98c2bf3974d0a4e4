"""Time as a choice: the earliest deadline may pass while tasks could still run.

A step takes any time on a real machine, so at each choice the earliest deadline may pass. Deadlines pass in order, and
the clock jumps to exactly one of them. A deadline that was longer than the threshold when it was made is not
offered, nor any after it: such a deadline passes only when no task can run (EX40 to EX42).

The grace times of supervisors and of the runtime are never offered: a pause of the program does not count in them.

A cancelled timer leaves no deadline here, since a jump to it would be a choice without an effect (EX44).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Any, Final, final
from unittest.mock import patch

from trio.testing import MockClock

from phxactor.runtime import Countdown, Timer, Timers, private

_run: Final = private(
    "_run", "Deadlines.add", "Deadlines.next_deadline", "CancelScope.deadline", "Runner.waiting_for_idle"
)


@final
class Clock:
    """The mock clock of the running loop, as one that may take a step."""

    def __init__(self, runner: Any, mock: Any, most: float) -> None:  # noqa: ANN401 - private to trio
        """Store the loop, its clock, and up to how many seconds a deadline may pass while others could run."""
        self._runner = runner
        self._deadlines = runner.deadlines
        self._mock = mock
        self._most = most
        self._numbers = count()
        self._long: list[tuple[float, int, Any]] = []
        """Deadlines that were longer than the threshold when they were made: a heap, with their scope or timer."""

    def __repr__(self) -> str:
        """Name it as the trace does."""
        return "the clock"

    def now(self) -> float:
        """Return the time, in seconds."""
        now: float = self._mock._virtual_base  # noqa: SLF001 - checked in `clock_of`
        return now

    def set(self, seconds: float) -> None:
        """Set the time; only between plays, or to a later one."""
        self._mock._virtual_base = seconds  # noqa: SLF001

    def begin(self) -> None:
        """Begin a further play, at time 0."""
        self.set(0.0)
        self._long.clear()

    def due(self) -> bool:
        """Return whether a deadline has passed that trio has not looked at."""
        due: bool = self._deadlines.next_deadline() <= self.now()
        return due

    def may_jump(self) -> bool:
        """Return whether the earliest deadline may pass now, before others have run."""
        earliest = self._deadlines.next_deadline()
        if earliest == inf or not self._most or self._runner.waiting_for_idle:
            return False
        return bool(self.now() < earliest < self._first_long())

    def jump(self) -> None:
        """Let the earliest deadline pass."""
        self.set(self._deadlines.next_deadline())

    def _first_long(self) -> float:
        long = self._long
        while long:
            deadline, _, owner = long[0]
            if owner.pending if type(owner) is Timer else owner._registered_deadline == deadline:  # noqa: SLF001
                return deadline
            heappop(long)
        return inf

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Learn of deadlines while the block lasts."""
        add, add_at, discard = _run.Deadlines.add, Timers.add_at, Timers.discard

        def added(deadlines: Any, deadline: float, scope: Any) -> None:  # noqa: ANN401 - private to trio
            add(deadlines, deadline, scope)
            if deadlines is self._deadlines and deadline - self.now() > self._most:
                heappush(self._long, (deadline, next(self._numbers), scope))

        def timer_added(timers: Timers, deadline: float, callback: Callable[[Any], object], argument: object) -> Timer:
            timer = add_at(timers, deadline, callback, argument)
            if deadline - self.now() > self._most or type(getattr(callback, "__self__", None)) is Countdown:
                heappush(self._long, (deadline, next(self._numbers), timer))
            return timer

        def discarded(timers: Timers, timer: Timer) -> None:
            discard(timers, timer)
            timers._discard_cancelled()  # noqa: SLF001 - no deadline may be left for it
            heap, scope = timers._heap, timers._scope  # noqa: SLF001
            if scope is not None:
                scope.deadline = heap[0][0] if heap else inf

        with ExitStack() as stack:
            stack.enter_context(patch.object(_run.Deadlines, "add", added))
            stack.enter_context(patch.object(Timers, "add_at", timer_added))
            stack.enter_context(patch.object(Timers, "discard", discarded))
            yield


@contextmanager
def clock_of(runner: Any, most: float) -> Iterator[Clock | None]:  # noqa: ANN401 - private to trio
    """Make the clock of a loop a choice while the block lasts; None if it is no mock clock that stands still."""
    mock = runner.clock
    if not isinstance(mock, MockClock) or mock.rate or not hasattr(mock, "_virtual_base"):
        yield None
        return
    clock = Clock(runner, mock, most)
    with clock.in_force():
        yield clock
