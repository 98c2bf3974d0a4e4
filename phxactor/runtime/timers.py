"""Timers: one heap for the whole runtime, ordered by deadline and then by creation (TI8).

Time is that of trio's clock, so that a mock clock rules it. One task sleeps until the earliest deadline.
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
from phxactor.runtime.state import DEAD

if TYPE_CHECKING:
    from phxactor.runtime.pid import Pid

Argument = TypeVar("Argument")

_COMPACT_ABOVE: Final = 512
"""Cancelled timers stay in the heap until they are due, or until they are this many and the majority."""


def _nothing(_: object) -> None:
    """Stand for what a cancelled timer would have called."""


class Timer:
    """One call that is due at `deadline`; what `send_after` returns."""

    __slots__ = ("argument", "callback", "deadline", "destination", "pending", "timers")

    timers: Timers
    """The heap that it is in: `send_after` says so, for `cancel_timer`."""

    def __init__(self, deadline: float, callback: Callable[[Any], object], argument: object) -> None:
        """Made by `Timers.add`, which knows that they fit."""
        self.deadline = deadline
        self.callback = callback
        self.argument = argument
        self.destination: Pid | None = None
        """The process that a message is for: the timer ends with it (TI6)."""
        self.pending = True


class Timers:
    """The heap, and the task that empties it."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Start with none; `run` must be running for any to fire. `now` reads the clock."""
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
        """Call `callback(argument)` after at least so many seconds, never within this call (TI2)."""
        return self.add_at(self.now() + seconds, callback, argument)

    def add_at(self, deadline: float, callback: Callable[[Argument], object], argument: Argument) -> Timer:
        """Do as `add`, at a time of the clock."""
        timer = Timer(deadline, callback, argument)
        heappush(self._heap, (deadline, next(self._numbers), timer))
        scope = self._scope
        if scope is not None and deadline < scope.deadline:
            scope.deadline = deadline
        return timer

    def cancel(self, timer: Timer) -> float | None:
        """Return the seconds that were left, or None if it has fired, was cancelled, or is for the dead (TI3, TI6)."""
        if not timer.pending:
            return None
        self.discard(timer)
        if timer.destination is not None and timer.destination.state is DEAD:
            return None
        return max(0.0, timer.deadline - self.now())

    def discard(self, timer: Timer) -> None:
        """Cancel a timer, for who does not ask what was left: each call with a time-out does."""
        if not timer.pending:
            return
        timer.pending = False
        timer.argument = None
        timer.callback = _nothing  # most are methods of processes, which must not live as long as the heap remembers
        self._cancelled += 1
        if self._cancelled > _COMPACT_ABOVE and self._cancelled * 3 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].pending]
            heapify(self._heap)
            self._cancelled = 0

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
        """Take the earliest timer that is due by now, but none with a number from `made_later` on."""
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
        except BaseException as error:  # noqa: BLE001 - the timers of all others must go on
            if events.timer_failed.handlers:
                events.timer_failed.emit(exception=error)
