"""The schedules that Hypothesis draws for one test.

A schedule has a number, which chooses its strategy (`exploration`). At each choice, Hypothesis draws what the strategy
wants, so it can change each choice when it shrinks. When a play fails, the plainest order that fails in the same way is
looked for at once, by plays of the same program. That holds only for programs that can be played again. So it begins
with the plainest order of all: if that one fails too, nothing is known, and Hypothesis alone shrinks. Hypothesis tries
that order first anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final

from hypothesis import strategies as st
from hypothesis.control import current_build_context
from hypothesis.internal.conjecture.data import ConjectureData
from hypothesis.strategies import SearchStrategy

from phxactor.testing import _report
from phxactor.testing.exploration import Faults, Guide, Played, failure_of, multiple, plainest, portfolio, weight
from phxactor.testing.schedule import Schedule

FOLLOWED: Final = 1023 / 1024
"""The probability with which Hypothesis does at first what a guide wants, at each choice."""
SEARCHES: Final = 8
"""Times that a plainest order is looked for in one test."""


class DrawnOrders:
    """What the plays of one test have in common."""

    def __init__(self, timeouts: float, faults: Faults | None) -> None:
        """Start with none played."""
        self._timeouts = timeouts
        self._faults = faults
        self._first: list[int] | None = None
        """The counts of the choices of the first play."""
        self._plain = False
        """Whether the first play was first come, first served."""
        self._plainest: dict[object, Mapping[int, int]] = {}
        self._first_come: set[object] = set()
        """The failures of the plainest order of all: Hypothesis would rather have an order with fewer choices."""
        self._searches = 0
        self._plays = 0
        """The number of plays that Hypothesis has asked for."""
        self._finders: dict[object, str] = {}
        """The strategies that were the first to find a failure."""

    def strategy(self) -> SearchStrategy[Schedule]:
        """Draw a number and a random source for each play."""

        @st.composite
        def one(draw: st.DrawFn) -> Schedule:
            number, data = draw(st.integers(0, 2**32)), draw(st.data())
            return Schedule.of(OneOrder(self, number, data), self._timeouts, self._faults)

        return one()

    def horizon(self, schedule: Schedule, number: int, random: Random) -> int | None:
        """Return the number of choices that a play may have; it must be the same when a play is played again."""
        self._plays += 1
        if self._first is None:
            self._first, self._plain = schedule.counts, number == 0
        measured = len(self._first) if self._plain else 0
        return multiple(measured, random) if measured else None

    def plainest(self, schedule: Schedule, found: Played, run: Callable[[], object]) -> Played:
        """Return the plainest play that fails as `found` does."""
        failure = failure_of(found.error)
        self._finders.setdefault(failure, f"({schedule.strategy} has found it, in play {self._plays})")
        best = self._search(schedule, found, failure, run)
        if best.error is not None:
            best.error.add_note(self._finders[failure])
        return best

    def _search(self, schedule: Schedule, found: Played, failure: object, run: Callable[[], object]) -> Played:
        def play(order: Mapping[int, int]) -> Played:
            return schedule.play_again(order, run)

        known = self._plainest.get(failure)
        if known is not None and weight(known) < weight(found.deviations):
            again = play(known)
            if failure_of(again.error) == failure:
                return again
        if not found.deviations:
            self._first_come.add(failure)
        elif failure in self._first_come and failure_of((again := play({})).error) == failure:
            return again
        if self._searches >= SEARCHES or not found.deviations:
            return found
        self._searches += 1
        if play({}).error is not None:
            return found
        best = plainest(play, found)
        again = play(best.deviations)
        if failure_of(again.error) != failure or play({}).error is not None:
            return found
        self._plainest[failure] = best.deviations
        return play(best.deviations)


class OneOrder:
    """One schedule that Hypothesis has drawn."""

    def __init__(self, orders: DrawnOrders, number: int, data: st.DataObject) -> None:
        """Store the number, and what draws."""
        self._orders = orders
        self._number = number
        self._data = data.conjecture_data
        self._before = 0
        self._advised: Advised | None = None

    def guide(self, schedule: Schedule) -> Guide:
        """Make the guide of a play; only the last one of a failure is read."""
        _report.drawn()
        schedule.told = current_build_context().is_final
        random = Random(self._number)  # noqa: S311 - no secret
        guide = portfolio(self._number, random, self._orders.horizon(schedule, self._number, random))
        self._before = len(self._data.nodes)
        self._advised = Advised(guide, self._data)
        return self._advised

    def plainest(self, schedule: Schedule, error: Exception, run: Callable[[], object]) -> Exception:
        """Return the error of the plainest order that fails in the same way, unless the program has drawn values."""
        drawn = 0 if self._advised is None else self._advised.drawn
        if type(error).__module__.startswith("hypothesis") or len(self._data.nodes) != self._before + drawn:
            return error
        trace, order, counts = schedule.trace, schedule.deviations, schedule.counts
        best = self._orders.plainest(schedule, Played(order, counts, error), run)
        if best.error is error or not isinstance(best.error, Exception):
            schedule.trace, schedule.deviations, schedule.counts = trace, order, counts
            return error
        return best.error


class Advised:
    """A guide whose wishes Hypothesis follows at first, and changes when it shrinks."""

    def __init__(self, guide: Guide, data: ConjectureData) -> None:
        """Store the guide, and what draws."""
        self.name = guide.name
        self.drawn = 0
        """The number of values drawn so far."""
        self._guide = guide
        self._data = data

    def pick(self, options: Sequence[object]) -> int:
        """Draw the index of an option; most likely it is the one that the guide wants."""
        return self._drawn(self._guide.pick(options), len(options))

    def number(self, count: int) -> int:
        """Draw a number below `count`."""
        return self._drawn(self._guide.number(count), count)

    def _drawn(self, wanted: int, count: int) -> int:
        self.drawn += 1
        if not self._data.draw_boolean(FOLLOWED if wanted else 1 - FOLLOWED):
            return 0
        others = count - 2
        if not others:
            return 1
        self.drawn += 1
        weights = {wanted - 1: FOLLOWED} if wanted else None
        return 1 + self._data.draw_integer(0, others, weights=weights)
