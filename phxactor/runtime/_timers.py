"""Timers: one heap for the whole runtime, ordered by deadline and then by creation (TI8).

Time comes from trio's clock, so a mock clock controls it. One task sleeps until the earliest deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, TypeVar

import trio

from phxactor.runtime import events
from phxactor.runtime._state import DEAD

if TYPE_CHECKING:
    from phxactor.runtime._pid import Pid

Argument = TypeVar("Argument")

_COMPACT_ABOVE: Final = 512
"""Number of cancelled timers above which the heap drops them, once they are also more than a third of it."""


def _nothing(_: object) -> None:
    """Replace the callback of a cancelled timer."""


class Timer:
    """One call that is due at `deadline`, in seconds of the runtime's clock; `send_after` returns one."""

    __slots__ = ("argument", "callback", "deadline", "destination", "pending", "timers")

    timers: Timers
    """The heap that holds the timer; `send_after` sets it for `cancel_timer`."""

    def __init__(self, deadline: float, callback: Callable[[Any], object], argument: object) -> None:
        """Make a timer; `Timers.add` does, and makes sure that callback and argument fit."""
        self.deadline = deadline
        self.callback = callback
        self.argument = argument
        self.destination: Pid | None = None
        """The process that gets the message; None for other timers. The timer ends with the process (TI6)."""
        self.pending = True


class Timers:
    """The heap of timers, and the task that fires them."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Start without timers. `now` reads the clock. Timers fire only while `run` runs."""
        self.now = now
        self.thread = get_ident()
        self._heap: list[tuple[float, int, Timer]] = []
        self._numbers = count()
        self._cancelled = 0
        self._scope: trio.CancelScope | None = None

    def __len__(self) -> int:
        """Count the timers that are pending."""
        return len(self._heap) - self._cancelled

    def pending(self) -> list[Timer]:
        """List the timers that are pending, in no particular order."""
        return [timer for _, _, timer in self._heap if timer.pending]

    def add(self, seconds: float, callback: Callable[[Argument], object], argument: Argument) -> Timer:
        """Call `callback(argument)` after at least `seconds`, never within this call (TI2)."""
        return self.add_at(self.now() + seconds, callback, argument)

    def add_at(self, deadline: float, callback: Callable[[Argument], object], argument: Argument) -> Timer:
        """Do as `add`, at a time in seconds of the runtime's clock."""
        timer = Timer(deadline, callback, argument)
        heappush(self._heap, (deadline, next(self._numbers), timer))
        scope = self._scope
        if scope is not None and deadline < scope.deadline:
            scope.deadline = deadline
        return timer

    def cancel(self, timer: Timer) -> float | None:
        """Cancel a timer and return the seconds that were left.

        Returns None if the timer has fired, was cancelled before, or was for a process that is dead (TI3, TI6).
        """
        if not timer.pending:
            return None
        self.discard(timer)
        if timer.destination is not None and timer.destination.state is DEAD:
            return None
        return max(0.0, timer.deadline - self.now())

    def discard(self, timer: Timer) -> None:
        """Cancel a timer without computing the seconds left; each call with a time-out does this at its end."""
        if not timer.pending:
            return
        timer.pending = False
        timer.argument = None
        timer.callback = _nothing  # the heap must not keep the process whose method the callback often is
        self._cancelled += 1
        if self._cancelled > _COMPACT_ABOVE and self._cancelled * 3 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].pending]
            heapify(self._heap)
            self._cancelled = 0

    def end(self) -> None:
        """Break the reference cycle with each pending timer, when none will fire any more."""
        others = Timers(self.now)
        for timer in self.pending():
            timer.timers = others

    async def run(self) -> None:
        """Fire timers for ever: the body of the runtime's timer task."""
        while True:
            await self._until_due()
            now, made_later = self.now(), next(self._numbers)
            while (entry := self._next_due(now, made_later)) is not None:
                self._fire(entry[2])

    async def _until_due(self) -> None:
        """Sleep until the earliest deadline; the timer may have been cancelled meanwhile."""
        self._discard_cancelled()
        with trio.CancelScope(deadline=self._heap[0][0] if self._heap else inf) as self._scope:
            await trio.sleep_forever()
        self._scope = None

    def _next_due(self, now: float, made_later: int) -> tuple[float, int, Timer] | None:
        """Take the earliest timer that is due at `now` and has a number below `made_later`; None if there is none."""
        while self._heap and self._heap[0][0] <= now and self._heap[0][1] < made_later:
            entry = heappop(self._heap)
            if entry[2].pending:
                return entry
            self._cancelled -= 1
        return None

    def _discard_cancelled(self) -> None:
        while self._heap and not self._heap[0][2].pending:
            heappop(self._heap)
            self._cancelled -= 1

    def _fire(self, timer: Timer) -> None:
        timer.pending = False
        try:
            timer.callback(timer.argument)
        except BaseException as error:  # noqa: BLE001 - all other timers must go on
            if events.timer_failed.handlers:
                events.timer_failed.emit(exception=error)
