"""Schedules: a reproducible order in which the ready tasks run, one step at a time.

    Schedule()                  first come, first served
    Schedule(7)                 another order for each seed
    Schedule({4: 1, 9: 2})      first come, first served, except for choices 4 and 9

    Schedule(7).run(main)       plays `main` as the first process of a runtime, in virtual time

A message or signal arrives in the step that sends it. So there are two kinds of choices: which task runs next, and how
many of its messages a process takes before it lets others run. A choice is a number k: the first k ready tasks are
postponed until no other task is ready. 0 is always first come, first served, so fewer and smaller numbers make a
simpler order.
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
from phxactor.telemetry import log_as_text
from phxactor.testing._schedule_steps import Steps
from phxactor.testing._tracing import Trace, tracing
from phxactor.testing.threads import in_turn

T = TypeVar("T")

CHOICES: Final = 2000
"""The number of choices that the random source makes in one play; later choices are 0."""
STEPS: Final = 100_000
"""Steps after which a play counts as endless."""
PASSES: Final = 3
"""Scheduler passes without a step after which a play counts as stuck."""


class DeadlockError(AssertionError):
    """No task can go on: every task waits, and no time-out will wake one. Also raised for a play without an end."""


class ExitedError(AssertionError):
    """A test raised an `Exit`, with the same `reason`.

    An `Exit` is not an `Exception`, so Hypothesis would stop at it instead of shrinking.
    """

    def __init__(self, error: Exit) -> None:
        """Copy the reason and the traceback."""
        super().__init__(str(error))
        self.reason = error.reason
        self.__traceback__ = error.__traceback__


class Schedule:
    """One order of steps. After a play, its `repr` is an expression that makes the same order again.

    `order` is a seed, a random source (`strategies.schedule()` uses Hypothesis's), or the choices that are not 0, by
    their number. Threads of `trio.to_thread` run in turn with the loop (see `threads`). A schedule does not control
    events from outside: real sockets, other threads, the wall clock, and the program's own use of `random`.
    """

    def __init__(self, order: int | Random | Mapping[int, int] | None = None) -> None:
        """Store the order."""
        self._order = order
        self._random: Random | None = None
        self._fixed: dict[int, int] = {} if order is None or isinstance(order, int | Random) else dict(order)
        self._interrupted: BaseException | None = None
        self._explained: Exception | None = None
        self._played = False
        self._begun = True
        """False until the runtime is open: before that, all choices are 0."""
        self.choices = 0
        """The number of choices so far."""
        self.deviations: dict[int, int] = {}
        """The choices that were not 0, by number."""
        self.trace = Trace()
        """The trace of the last play."""

    def __repr__(self) -> str:
        """Return an expression that makes the same order again; before the first play, with the given order."""
        order = self._order if not self._played else self.deviations or None
        return "Schedule()" if order is None else f"Schedule({order!r})"

    def replay(self, delays: Iterable[tuple[int, int]]) -> None:
        """Make these choices from now on: `(n, k)` is the choice k, after n choices of 0 since the last one."""
        number = self.choices
        for before, chosen in delays:
            self._fixed[number + before] = chosen
            number += before + 1

    def check(self) -> None:
        """Raise the error of the random source, by which Hypothesis ends a play."""
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
        """Order the tasks of the running trio loop while the block lasts. Its exceptions get the trace as a note.

        An `Exit` becomes an ExitedError. It is for tests whose loop a plugin runs. The wall clock and real sockets are
        not reproduced.
        """
        self.choices, self.deviations, self._interrupted, self._played = 0, {}, None, True
        self._random = Random(self._order) if isinstance(self._order, int) else None  # noqa: S311 - no secret
        if isinstance(self._order, Random):
            self._random = self._order
        try:
            with (
                log_as_text(),
                in_turn(),
                tracing() as self.trace,
                Steps(self.choose, self.trace.remark, self.trace.show).ordered(),
            ):
                yield self.trace
        except (Exception, Exit) as error:  # noqa: BLE001 - raised again
            raise self.explain(error) from error.__cause__
        finally:
            self.check()

    @asynccontextmanager
    async def playing_in_runtime(self) -> AsyncIterator[Runtime]:
        """Do as `playing`, in a new runtime; until it is open, all choices are 0."""
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
        """Return the exception that a test raises for an error, with the order and the trace as a note."""
        failure = ExitedError(error) if isinstance(error, Exit) else error
        if failure is not self._explained:
            failure.add_note(f"{self!r}, of {self.choices} choices:\n{self.trace}")
        self._explained = failure
        return failure

    def run(self, main: Callable[..., Awaitable[T]], *args: object) -> T:
        """Run `await main(*args)` as the first process of a runtime of its own, in virtual time; return its result.

        Raises the exception of `main`, with the trace as a note; ExitedError for an `Exit`; DeadlockError if `main`
        would wait for ever or never end.
        """
        return trio.run(self._play, main, args, clock=MockClock(autojump_threshold=0))

    async def _play(self, main: Callable[..., Awaitable[T]], args: tuple[object, ...]) -> T:
        async with self.playing_in_runtime():
            with Stuck().watched():
                return await main(*args)
        raise AssertionError("an exit signal has ended the first process before it returned a result")


class Stuck(trio.abc.Instrument):
    """Detects a play in which no task can go on, or that has no end."""

    def __init__(self) -> None:
        """Start with no steps counted."""
        self._scope = trio.CancelScope()
        self._idle = 0
        self._steps = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count a step."""
        self._idle = 0
        self._steps += 1
        if self._steps > STEPS:
            self._scope.cancel(reason="the play has no end")

    def before_io_wait(self, timeout: float) -> None:
        """Cancel the block when all tasks wait and no deadline is left."""
        self._idle += 1
        if self._idle > PASSES and trio.lowlevel.current_statistics().seconds_to_next_deadline == inf:
            self._scope.cancel(reason="no task can go on")

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Cancel the block and raise DeadlockError if it is stuck."""
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
                else "no task can go on: every task waits, and no time-out will wake one"
            )
