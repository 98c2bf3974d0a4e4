"""Schedules: which of the tasks that could run does run, one at a time, and the same again each time.

    Schedule()                  first come, first served
    Schedule(7)                 another order for each seed
    Schedule({4: 1, 9: 2})      first come, first served, but for choices 4 and 9

    Schedule(7).run(main)       plays `main` as the first process of a runtime, in virtual time

What is told to another process arrives in the step that tells it, so all that is free is who runs next, and how many
of its messages a process takes before it lets others run. Each such choice is a number from 0: that many of those who
are first have to wait until nobody else can run. 0 is always first come, first served; so the fewer and the smaller
the numbers, the plainer the order.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from math import inf
from random import Random
from typing import Final, TypeVar

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor.runtime import Exit, Runtime, open_runtime
from phxactor.testing._schedule_steps import Steps
from phxactor.testing._tracing import Trace, tracing

T = TypeVar("T")

CHOICES: Final = 2000
"""Choices that a source of chance makes for one play; what comes after them is first come, first served."""
STEPS: Final = 100_000
"""Steps after which a play is taken for one that never ends."""
PASSES: Final = 3
"""Passes of the scheduler in which nobody runs, after which nobody will."""


class DeadlockError(AssertionError):
    """Nobody can go on: every task waits, and no time-out will wake one. Or, of a play without an end, all go on."""


class ExitedError(AssertionError):
    """An `Exit` came out of a test, with the same `reason`.

    An `Exit` itself is no `Exception`: Hypothesis would take it for a wish to stop, and look no further.
    """

    def __init__(self, error: Exit) -> None:
        """Take its reason and its traceback."""
        super().__init__(str(error))
        self.reason = error.reason
        self.__traceback__ = error.__traceback__


class Schedule:
    """One order of steps; `repr` says which, once it has been played, and makes it again.

    `order` is a seed, a source of chance (`strategies.schedule()` gives Hypothesis's own), or the choices that are not
    0, by their number. What comes from outside is no part of it: real sockets, threads, the wall clock, and what the
    program itself draws from `random`.
    """

    def __init__(self, order: int | Random | Mapping[int, int] | None = None) -> None:
        """Keep what decides."""
        self._order = order
        self._random: Random | None = None
        self._fixed: dict[int, int] = {} if order is None or isinstance(order, int | Random) else dict(order)
        self._interrupted: BaseException | None = None
        self._explained: Exception | None = None
        self._played = False
        self._begun = True
        """Whether there is something to choose yet."""
        self.choices = 0
        """How many choices there have been."""
        self.deviations: dict[int, int] = {}
        """Those that were not 0."""
        self.trace = Trace()
        """What happened in the last play."""

    def __repr__(self) -> str:
        """Write what makes the same order again; before the first play, what it was made of."""
        order = self._order if not self._played else self.deviations or None
        return "Schedule()" if order is None else f"Schedule({order!r})"

    def follow(self, delays: Iterable[tuple[int, int]]) -> None:
        """Make these choices from now on: `(n, k)` is k, after n times first come, first served since the last one."""
        number = self.choices
        for before, chosen in delays:
            self._fixed[number + before] = chosen
            number += before + 1

    def check(self) -> None:
        """Raise what the source of chance has raised: Hypothesis says so that it has seen enough of a play."""
        if self._interrupted is not None:
            raise self._interrupted

    def choose(self, count: int) -> int:
        """Choose a number below `count`."""
        if not self._begun:
            return 0
        number, self.choices = self.choices, self.choices + 1
        chosen = 0
        if self._random is None:
            chosen = min(self._fixed.get(number, 0), count - 1)
        elif number < CHOICES:
            try:
                chosen = self._random.randrange(count)
            except BaseException as interruption:  # noqa: BLE001 - Hypothesis's; trio must not see it
                self._random, self._interrupted = None, interruption
        if chosen:
            self.deviations[number] = chosen
        return chosen

    @contextmanager
    def playing(self) -> Iterator[Trace]:
        """Order the tasks of the running trio so while the block lasts; what it raises has the trace as a note.

        An `Exit` becomes an ExitedError. For tests that some plugin runs: neither the wall clock nor real sockets come
        again.
        """
        self.choices, self.deviations, self._interrupted, self._played = 0, {}, None, True
        self._random = Random(self._order) if isinstance(self._order, int) else None  # noqa: S311 - no secret
        if isinstance(self._order, Random):
            self._random = self._order
        try:
            with tracing() as self.trace, Steps(self.choose, self.trace.remark).ordered():
                yield self.trace
        except (Exception, Exit) as error:  # noqa: BLE001 - raised again
            raise self.explain(error) from error.__cause__
        finally:
            self.check()

    @asynccontextmanager
    async def playing_in_runtime(self) -> AsyncIterator[Runtime]:
        """Do as `playing`, in a runtime of its own; there is nothing to choose before that is open."""
        with self.playing():
            self._begun = False
            async with open_runtime() as runtime:
                await wait_all_tasks_blocked()
                self._begun = True
                try:
                    yield runtime
                except BaseException:
                    self.trace.last = len(self.trace.happenings)
                    raise

    def explain(self, error: Exception | Exit) -> Exception:
        """Return what a test raises in place of an error: one with the order and the trace as a note."""
        failure = ExitedError(error) if isinstance(error, Exit) else error
        if failure is not self._explained:
            failure.add_note(f"{self!r}, of {self.choices} choices:\n{self.trace}")
        self._explained = failure
        return failure

    def run(self, main: Callable[..., Awaitable[T]], *args: object) -> T:
        """Run `await main(*args)` as the first process of a runtime of its own, in virtual time; return its result.

        Raises what `main` raises, with the trace as a note: ExitedError in place of an `Exit`; DeadlockError where it
        would wait for ever.
        """
        return trio.run(self._play, main, args, clock=MockClock(autojump_threshold=0))

    async def _play(self, main: Callable[..., Awaitable[T]], args: tuple[object, ...]) -> T:
        async with self.playing_in_runtime():
            with Stuck().watched():
                return await main(*args)
        raise AssertionError("the first process was told to end, and did, before it had a result")


class Stuck(trio.abc.Instrument):
    """Sees when nobody can go on any more."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        self._scope = trio.CancelScope()
        self._idle = 0
        self._steps = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Note that somebody goes on."""
        self._idle = 0
        self._steps += 1
        if self._steps > STEPS:
            self._scope.cancel(reason="the play has no end")

    def before_io_wait(self, timeout: float) -> None:
        """Give up when everybody waits, and nothing will come."""
        self._idle += 1
        if self._idle > PASSES and trio.lowlevel.current_statistics().seconds_to_next_deadline == inf:
            self._scope.cancel(reason="nobody can go on")

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Cancel the block and raise DeadlockError when it is stuck."""
        trio.lowlevel.add_instrument(self)
        try:
            with self._scope:
                yield
        finally:
            trio.lowlevel.remove_instrument(self)
        if self._scope.cancelled_caught:
            raise DeadlockError(
                f"after {self._steps} steps there is no end in sight"
                if self._steps > STEPS
                else "nobody can go on: every task waits, and no time-out will wake one"
            )
