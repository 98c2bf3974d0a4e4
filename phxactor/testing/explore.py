"""Tries all orders of a program, and says how many there were, or which one fails.

    print(explore(main))                    all orders but those that only swap independent steps
    print(explore(main, preemptions=2))     all orders with at most two deviations from first come, first served

A bound and a reduction together would miss orders within the bound, so it is the one or the other (EX10). A failure is
that of the order with the fewest deviations, and its note has the order and the trace. `main` is called again for each
play: what it uses from outside must be the same each time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from math import inf
from typing import Final, Literal

import attrs

from phxactor.testing.exploration import (
    TIMEOUTS,
    ChangedError,
    Faults,
    Hooks,
    Played,
    Playground,
    Reduction,
    Sharing,
    bounded,
    failure_of,
    plainest,
)
from phxactor.testing.schedule import Schedule

__all__ = ["ChangedError", "Explored", "Faults", "explore"]

EVERY: Final = 5.0
"""Seconds between two lines of progress."""


@attrs.define
class Explored:
    """What an exploration has tried."""

    preemptions: int | None
    """The most deviations that were tried; None for all orders, by reduction."""
    timeouts: float
    """Seconds up to which a deadline might pass while others could run."""
    plays: int = 0
    """The number of orders that were played to their end; all of them pass."""
    blocked: int = 0
    """The number of plays that were cut short, since they could show nothing new."""
    seconds: float = 0.0
    """How long it took."""
    untried: str = ""
    """What was not tried; empty if all was."""
    shared: tuple[str, ...] = ()
    """Python objects that several processes can reach, so that their steps may depend on one another unseen."""
    dependent: bool = False
    """Whether steps that can reach such objects counted as depending on one another."""

    @property
    def complete(self) -> bool:
        """Whether every order was tried, or one that differs from it only in what does not matter.

        False with a bound, where time was a choice, if something was not tried, and for shared objects.
        """
        sure = not self.shared or self.dependent
        return self.preemptions is None and not self.untried and not self.timeouts and sure

    def __str__(self) -> str:
        """Tell it in a few lines."""
        if self.preemptions is None:
            many = "its only order passes" if self.plays == 1 else f"all {self.plays} orders pass"
            what = f"{many}: every other order only swaps steps that do not depend on one another"
        else:
            what = f"all {self.plays} orders with at most {self.preemptions} deviations pass"
        if self.untried:
            what = f"{self.plays} orders pass, and more are untried: {self.untried}"
        lines = [f"{what} ({self.seconds:.1f} s)"]
        if self.blocked:
            lines.append(f"{self.blocked} more plays were cut short, since they could show nothing new")
        if self.preemptions is None and self.timeouts and not self.untried:
            lines.append("time was a choice: that all outcomes were seen is likely, and not proven")
        if self.shared and self.preemptions is None:
            how = (
                "steps that can reach them depend on one another" if self.dependent else "it was ignored: see `shared`"
            )
            lines.append(f"processes share {', '.join(self.shared)}: {how}")
        return "\n".join(lines)


def explore(
    main: Callable[..., Awaitable[object]],
    *args: object,
    preemptions: int | None = None,
    timeouts: float = TIMEOUTS,
    faults: Faults | None = None,
    seconds: float = inf,
    shared: Literal["dependent", "independent"] = "independent",
    progress: Callable[[str], object] | None = None,
) -> Explored:
    """Play `await main(*args)` in all orders, each as the first process of a runtime, in virtual time.

    Args:
        main: the program; it is called for each play.
        args: its arguments.
        preemptions: tries all orders with at most so many deviations, the fewest first; by default, all orders.
        timeouts: that of `Schedule`; 0 makes time no choice.
        faults: that of `Schedule`; late `Down`s and dropped lines only with a bound.
        seconds: stops after this time; the result says what was not tried.
        shared: `dependent` makes the steps of processes that share Python objects depend on one another.
        progress: is called with a line every few seconds; by default it is printed if standard error is a terminal.

    Raises:
        ValueError: faults that need a bound, without one.
        Exception: what `main` raises in the order with the fewest deviations that fails, with the order and the trace
            as a note; as `Schedule.run` does.
        ChangedError: the program is not the same when it is played again.

    """
    if preemptions is None and faults is not None and (faults.late_downs or faults.drops):
        raise ValueError("late_downs and drops can be explored with a bound only: give preemptions=2, or kills alone")
    result = Explored(preemptions, timeouts, dependent=shared == "dependent")
    search = _Search(partial(main, *args), result, faults, (seconds, progress or _print))
    found = search.reduce() if preemptions is None else search.bound(preemptions)
    if found is None:
        return result
    order = Schedule(found.deviations, timeouts=timeouts, faults=faults)
    try:
        order.run(main, *args)
    except Exception as error:
        passed = "the first order that was tried fails" if not result.plays else f"{result.plays} other orders pass"
        error.add_note(f"explore: {passed}; this one has the fewest deviations of those that fail")
        raise
    raise ChangedError(f"{order!r} failed once, and passes when it is played again")


class _Search:
    """One exploration."""

    def __init__(
        self,
        program: Callable[[], Awaitable[object]],
        result: Explored,
        faults: Faults | None,
        limits: tuple[float, Callable[[str], object]],
    ) -> None:
        self._program = program
        self._result = result
        self._began = time.monotonic()
        self._faults = faults
        self._seconds, self._progress = limits
        self._told = self._began

    def reduce(self) -> Played | None:
        """Play all classes of orders; return the plainest play that fails."""
        hooks, result = Hooks(), self._result
        ground = Playground(self._program, timeouts=result.timeouts, faults=self._faults, took=hooks.took)
        with ground.open():
            sharing = Sharing()
            with sharing.watched():
                ground.order({})
            result.shared = sharing.names()
            with hooks.in_force():
                search = Reduction(ground, hooks, sharing.things if result.dependent else _nothing)
                found = self._until_failure(search.plays(), lambda: f"{search.left} choices have more possibilities")
                result.blocked = search.blocked
            if found is None:
                return None
            return self._plainest(ground, found)

    def bound(self, most: int) -> Played | None:
        """Play all orders with at most so many deviations; return the first play that fails."""
        ground = Playground(self._program, timeouts=self._result.timeouts, faults=self._faults)
        with ground.open():
            where = [""]
            return self._until_failure(bounded(ground.order, most, where), lambda: where[0])

    def _plainest(self, ground: Playground, found: Played) -> Played:
        again = ground.order(found.deviations)
        if failure_of(again.error) != failure_of(found.error):
            raise ChangedError("an order failed once, and otherwise when it is played again")
        return plainest(ground.order, again)

    def _until_failure(self, plays: Iterator[Played], left: Callable[[], str]) -> Played | None:
        result = self._result
        for played in plays:
            if played.error is not None:
                return played
            result.plays += 1
            now = time.monotonic()
            result.seconds = now - self._began
            if result.seconds > self._seconds:
                result.untried = left()
                return None
            if now - self._told > EVERY:
                self._told = now
                self._progress(f"explore: {result.plays} orders pass so far; {left()}")
        return None


def _nothing(_: str) -> tuple[()]:
    return ()


def _print(line: str) -> None:
    if sys.__stderr__ is not None and sys.__stderr__.isatty():
        print(line, file=sys.__stderr__)
