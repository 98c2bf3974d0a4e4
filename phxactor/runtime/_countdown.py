"""Countdowns for processes that must end. A pause of the whole program does not count against them.

While the program is stopped (SIGSTOP, a paused virtual machine, a handler that computes), none of its processes can
run. So a countdown counts time in slices, and counts a slice again if it ended more than `LATE` seconds late. It never
repeats two slices in a row: an overloaded program is always late, and its countdowns must end too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Final

import trio

from phxactor.runtime._timers import Argument, Timer, Timers

SLICE: Final = 0.5
"""Length of a slice in seconds."""
LATE: Final = 0.1
"""Seconds by which a slice may end late and still count."""


class Countdown:
    """Calls `callback(argument)` once, after the program has run for `seconds`; `math.inf` means never."""

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
        """Cancel the callback. A second call does nothing."""
        timer, self._timer = self._timer, None
        if timer is not None:
            self._timers.discard(timer)

    def _count(self, _: None) -> None:
        timer, self._timer = self._timer, None  # breaks the reference cycle of timer and countdown
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
    """Cancel the block after the program has run for `seconds`."""
    with trio.CancelScope() as scope:
        countdown = Countdown(timers, seconds, trio.CancelScope.cancel, scope)
        try:
            yield scope
        finally:
            countdown.stop()
