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
from ast import literal_eval
from collections.abc import Awaitable, Callable
from functools import partial
from math import inf
from pathlib import Path
from typing import Final, Literal

import attrs

from phxactor.testing.exploration import (
    TIMEOUTS,
    Bounded,
    ChangedError,
    Faults,
    Hooks,
    Played,
    Playground,
    Reduction,
    Sharing,
    failure_of,
    forked,
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
    file: Path | None = None,
    workers: int = 1,
    progress: Callable[[str], object] | None = None,
) -> Explored:
    """Play `await main(*args)` in all orders, each as the first process of a runtime, in virtual time.

    Args:
        main: the program; it is called for each play.
        args: its arguments.
        preemptions: tries all orders with at most so many deviations, the fewest first; by default, all orders.
        timeouts: that of `Schedule`; 0 makes time no choice.
        faults: that of `Schedule`; only kills without a bound.
        seconds: stops after this time; the result says what was not tried.
        shared: `dependent` makes the steps of processes that share Python objects depend on one another.
        file: keeps a search that `seconds` has ended; the next one goes on from there, and removes it at its end.
        workers: plays in so many processes of the operating system, which are forked; with a bound only.
        progress: is called with a line every few seconds; by default it is printed if standard error is a terminal.

    Raises:
        ValueError: faults or workers that need a bound, without one; a file of another exploration.
        Exception: what `main` raises in the order with the fewest deviations that fails, with the order and the trace
            as a note; as `Schedule.run` does.
        ChangedError: the program is not the same when it is played again.

    """
    if preemptions is None and faults is not None and (faults.late_downs or faults.drops or faults.of_cluster):
        raise ValueError("only kills can be explored without a bound: give preemptions=2 for other faults")
    if preemptions is None and workers > 1:
        raise ValueError("several workers can explore with a bound only: give preemptions=2")
    result = Explored(preemptions, timeouts, dependent=shared == "dependent")
    search = _Search(partial(main, *args), result, faults, (seconds, file, progress or _print))
    found = search.reduce() if preemptions is None else search.bound(preemptions, workers)
    if found is None:
        return result
    order = Schedule(found.deviations, timeouts=timeouts, faults=faults)
    try:
        order.run(main, *args)
    except Exception as error:
        passed = "the first order that was tried fails" if not result.plays else f"{result.plays} other orders pass"
        passed = "1 other order passes" if result.plays == 1 else passed
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
        limits: tuple[float, Path | None, Callable[[str], object]],
    ) -> None:
        self._program = program
        self._result = result
        self._began = time.monotonic()
        self._faults = faults
        self._seconds, self._file, self._progress = limits
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
                found = self._until_failure(search)
                result.blocked = search.blocked
            if found is None:
                return None
            again = ground.order(found.deviations)
            if failure_of(again.error) != failure_of(found.error):
                raise ChangedError("an order failed once, and otherwise when it is played again")
            return plainest(ground.order, again)

    def bound(self, most: int, workers: int) -> Played | None:
        """Play all orders with at most so many deviations; return the first play that fails."""
        make = partial(Playground, self._program, timeouts=self._result.timeouts, faults=self._faults)
        if workers > 1:
            with forked(make, workers) as play_all:
                return self._until_failure(Bounded(play_all, most))
        ground = make()
        with ground.open():
            return self._until_failure(Bounded(ground.play_all, most))

    def _until_failure(self, search: Bounded | Reduction) -> Played | None:
        result, kind = self._result, (type(search).__name__, self._result.timeouts)
        if self._file is not None and self._file.exists():
            saved_kind, result.plays, where = literal_eval(self._file.read_text())
            if saved_kind != kind:
                raise ValueError(f"{self._file} is of another exploration: {saved_kind}, not {kind}")
            search.load(where)
        for played in search.plays():
            if played.error is not None:
                return played
            result.plays += 1
            now = time.monotonic()
            result.seconds = now - self._began
            if result.seconds > self._seconds and search.left:
                result.untried = search.left
                if self._file is not None:
                    self._file.write_text(repr((kind, result.plays, search.save())))
                return None
            if now - self._told > EVERY:
                self._told = now
                self._progress(f"explore: {result.plays} orders pass so far; {search.left}")
        if self._file is not None:
            self._file.unlink(missing_ok=True)
        return None


def _nothing(_: str) -> tuple[()]:
    return ()


def _print(line: str) -> None:
    if sys.__stderr__ is not None and sys.__stderr__.isatty():
        print(line, file=sys.__stderr__)
