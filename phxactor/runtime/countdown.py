"""Times that processes of the program have to end: a pause of the program is none of theirs.

A program that was stopped (SIGSTOP, a virtual machine that paused, a handler that computes) has let none of its
processes run meanwhile. So time is counted in slices, and one that ends late by more than `LATE` is taken again. It is
not taken again twice in a row: a program that is always late, since it has more to do than it can, has to end too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Final

import trio

from phxactor.runtime.timers import Argument, Timer, Timers

SLICE: Final = 0.5
"""Seconds that are counted at once."""
LATE: Final = 0.1
"""Seconds by which a slice may be late."""


class Countdown:
    """Calls `callback(argument)` once, after so many seconds in which the program has run; `math.inf` for never."""

    __slots__ = ("_callback", "_left", "_slice", "_taken_again", "_timer", "_timers")

    def __init__(
        self, timers: Timers, seconds: float, callback: Callable[[Argument], object], argument: Argument
    ) -> None:
        self._timers = timers
        self._callback: Callable[[], object] = lambda: callback(argument)
        self._left = seconds
        self._taken_again = False
        self._slice = seconds if seconds == inf else min(seconds, SLICE)
        self._timer: Timer | None = timers.add(self._slice, self._count, None)

    def stop(self) -> None:
        """Call nothing; again is no error."""
        timer, self._timer = self._timer, None
        if timer is not None:
            self._timers.discard(timer)

    def _count(self, _: None) -> None:
        timer, self._timer = self._timer, None  # each knows the other: only the collector would find the two
        assert timer is not None  # noqa: S101 - it has just fired
        deadline = timer.deadline
        late = self._timers.now() - deadline
        if late > LATE and not self._taken_again:
            self._taken_again = True
            deadline += late
        else:
            self._taken_again = False
            self._left -= self._slice
            self._slice = min(self._left, SLICE)
        if self._left > 0:
            self._timer = self._timers.add_at(deadline + self._slice, self._count, None)
        else:
            self._callback()


@contextmanager
def counted(timers: Timers, seconds: float) -> Iterator[trio.CancelScope]:
    """Cancel the block after so many seconds in which the program has run."""
    with trio.CancelScope() as scope:
        countdown = Countdown(timers, seconds, trio.CancelScope.cancel, scope)
        try:
            yield scope
        finally:
            countdown.stop()
