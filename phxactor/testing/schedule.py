"""Schedules: a reproducible order in which the ready tasks run, one step at a time.

    Schedule()                  first come, first served
    Schedule(7)                 another order for each number
    Schedule({4: 1, 9: 2})      first come, first served, except for choices 4 and 9

    Schedule(7).run(main)       plays `main` as the first process of a runtime, in virtual time

A message or signal arrives in the step that sends it, and a receive begins a step. So there is one kind of choice: what
happens next, if there are several possibilities. A choice is a number k: the first k ready tasks are postponed until no
other task is ready. 0 is always first come, first served, so fewer and smaller numbers make a simpler order.

Time is part of it: the earliest deadline may pass while tasks could still run, as on a slow machine. This holds for
deadlines of at most `timeouts` seconds; longer ones pass only when no task can run. With `timeouts=0`, all do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from random import Random
from typing import Final, TypeVar

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor.runtime import Exit, Runtime, open_runtime
from phxactor.telemetry import log_as_text
from phxactor.testing._exited import ExitedError
from phxactor.testing._frames import hidden
from phxactor.testing._orders import Orders, check_order
from phxactor.testing._trace import Trace, note_of
from phxactor.testing._tracing import tracing
from phxactor.testing.exploration import (
    TIMEOUTS,
    ChangedError,
    Clock,
    DeadlockError,
    Fault,
    Faults,
    Guide,
    OnTime,
    Option,
    OutsideError,
    Played,
    Steps,
    parted,
    portfolio,
    process_of,
    told,
    unlogged,
)
from phxactor.testing.threads import in_turn

__all__ = ["DeadlockError", "ExitedError", "OutsideError", "Schedule"]

T = TypeVar("T")

CHOICES: Final = 2000
"""The number of choices that the random source makes in one play; later choices are 0."""


class Schedule:
    """One order of steps. After a play, its `repr` is an expression that makes the same order again.

    `order` is the number of an order, or the choices that are not 0, by their number. The numbers explore: 0 is first
    come, first served, and each other one is a play of a strategy in turn (`exploration`). `timeouts` is the number of
    seconds up to which a deadline may pass while others could run, `faults` how much may fail in one play.

    Threads of `trio.to_thread` run in turn with the loop (see `threads`). A schedule does not control events from
    outside: real sockets, other threads, the wall clock, and the program's own use of `random`.
    """

    def __init__(
        self,
        order: int | Mapping[int, int] | None = None,
        *,
        timeouts: float = TIMEOUTS,
        faults: Faults | None = None,
    ) -> None:
        """Store the order."""
        self._faults = faults
        self._order = order
        self._shown_timeouts = self.timeouts = timeouts
        """Seconds up to which a deadline may pass while others could run."""
        self._guide: Guide | None = None
        self._orders: Orders | None = None
        self._fixed: dict[int, int] = {} if order is None or isinstance(order, int) else dict(order)
        self._interrupted: BaseException | None = None
        self._explained: Exception | None = None
        self._played = False
        self._replayed = False
        """Whether the choices are those of `_fixed`, whatever the order was made of."""
        self._steps: Steps | None = None
        self.counts: list[int] = []
        """The number of possibilities of each choice so far."""
        self.deviations: dict[int, int] = {}
        """The choices that were not 0, by number."""
        self.trace = Trace()
        """The trace of the last play."""
        self.told = True
        """Whether the trace has text, and the program may log: not in the plays of a search, which nobody reads."""
        self.strategy = ""
        """The strategy of the last play that was made by a number."""

    @classmethod
    def of(cls, orders: Orders, timeouts: float, faults: Faults | None) -> Schedule:
        """Make a schedule that is one of several: for `strategies.schedule`."""
        schedule = cls(timeouts=timeouts, faults=faults)
        schedule._orders = orders
        return schedule

    @property
    def choices(self) -> int:
        """The number of choices so far."""
        return len(self.counts)

    def __repr__(self) -> str:
        """Return an expression that makes the same order again; before the first play, with the given order."""
        if self._orders is not None and not self._played:
            return "Schedule(...)"  # as Hypothesis prints a drawn one
        order = self._order if not self._played else self.deviations or None
        parts = [] if order is None else [repr(order)]
        if self._shown_timeouts != TIMEOUTS:
            parts.append(f"timeouts={self._shown_timeouts!r}")
        if self._faults is not None:
            parts.append(f"faults={self._faults!r}")
        return f"Schedule({', '.join(parts)})"

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
        """Choose a number below `count`, for a choice that is not between steps, such as a fault of a network."""
        if self._steps is None or not self._steps.free:
            return 0
        return self._choose(count, lambda guide: guide.number(count))

    def _step(self, options: Sequence[Option]) -> int:
        return self._choose(len(options), lambda guide: guide.pick(options))

    def _choose(self, count: int, ask: Callable[[Guide], int]) -> int:
        number = len(self.counts)
        self.counts.append(count)
        chosen = 0
        if self._guide is None:
            chosen = min(self._fixed.get(number, 0), count - 1)
        elif number < CHOICES:
            try:
                chosen = ask(self._guide)
            except BaseException as interruption:  # noqa: BLE001 - Hypothesis's; trio must not see it
                self._guide, self._interrupted = None, interruption
        if chosen:
            self.deviations[number] = chosen
        return chosen

    def _parted(self) -> str:
        """Say where the play was not the order that was given by hand (EX38); empty if it was."""
        given = isinstance(self._order, Mapping) and not self._replayed
        return parted(self._fixed, self.counts) if given else ""

    def _tell(self, options: Sequence[Option], chosen: int) -> None:
        """Add a line to the trace for a choice that is not 0."""
        if isinstance(options[chosen], Fault):
            self.trace.remark(repr(options[chosen]))
            return
        late = ", ".join(self._name(task) for task in options[:chosen])
        if isinstance(options[chosen], Clock):
            self.trace.remark(f"the earliest deadline passes while {late} could run")
        else:
            self.trace.remark(f"{late} must wait for the others")

    def _name(self, option: Option) -> str:
        if isinstance(option, Clock | Fault | OnTime):
            return repr(option)
        pid = process_of(option)
        return option.name if pid is None else self.trace.show(pid)

    @contextmanager
    def playing(self) -> Iterator[Trace]:
        """Order the tasks of the running trio loop while the block lasts. Its exceptions get the trace as a note.

        An `Exit` becomes an ExitedError. It is for tests whose loop a plugin runs. The wall clock and real sockets are
        not reproduced.
        """
        self.counts, self.deviations, self._interrupted, self._played = [], {}, None, True
        self._guide = None
        if not self._replayed and isinstance(self._order, int):
            self._guide = portfolio(self._order, Random(self._order))  # noqa: S311 - no secret
        elif not self._replayed and self._orders is not None:
            self._guide = self._orders.guide(self)
        if self._guide is not None:
            self.strategy = self._guide.name
        self._steps = Steps(self._step, self._tell, timeouts=self.timeouts, faults=self._faults)
        try:
            with (
                log_as_text(),
                nullcontext() if self.told else unlogged(),
                in_turn(),
                tracing(Trace(told=self.told)) as self.trace,
                self._steps.ordered(),
            ):
                if not isinstance(trio.lowlevel.current_clock(), MockClock):
                    self.trace.began = trio.current_time()
                yield self.trace
            check_order(self._order, self._parted())
        except (Exception, Exit) as error:  # noqa: BLE001 - raised again
            raise self.explain(error) from error.__cause__
        finally:
            self._steps = self._guide = None
            self.check()

    @asynccontextmanager
    async def playing_in_runtime(self) -> AsyncIterator[Runtime]:
        """Do as `playing`, in a new runtime; while it opens and while it stops, there are no choices (EX63)."""
        with self.playing():
            steps = self.steps
            steps.free = False
            async with open_runtime() as runtime:
                steps.budget.runtime = runtime
                await wait_all_tasks_blocked()
                steps.free = True
                try:
                    yield runtime
                except BaseException as error:
                    self.trace.last = len(self.trace.happenings)
                    if self.trace.told and not isinstance(error, DeadlockError | OutsideError):
                        for wait in told(steps.waits([trio.lowlevel.current_task()])):
                            self.trace.ends(wait)
                    raise
                finally:
                    steps.free = False

    @property
    def steps(self) -> Steps:
        """What orders the tasks in the current play."""
        if self._steps is None:
            raise RuntimeError("the schedule does not play")
        return self._steps

    def explain(self, error: Exception | Exit) -> Exception:
        """Return the exception that a test raises for an error, with the order and the trace as a note."""
        failure = ExitedError(error) if isinstance(error, Exit) else error
        if failure is not self._explained:
            failure.add_note(f"{self!r}, of {self.choices} choices{note_of(self.trace)}")
            if (where := self._parted()) and not isinstance(error, ChangedError):
                failure.add_note(f"(this is not the order that was asked for: {where})")
            failure.phxactor_trace = self.trace  # type: ignore[attr-defined]  # for the plugin
        self._explained = failure
        return failure

    def run(self, main: Callable[..., Awaitable[T]], *args: object) -> T:
        """Run `await main(*args)` as the first process of a runtime of its own, in virtual time; return its result.

        Raises the exception of `main`, with the trace as a note; ExitedError for an `Exit`; DeadlockError if `main`
        would wait for ever or never end. If Hypothesis has drawn the schedule, `main` is played again after a failure,
        to find the plainest order that fails in the same way.
        """
        __tracebackhide__ = True
        try:
            return self.run_once(main, *args)
        except Exception as raised:  # noqa: BLE001 - raised again
            error = raised
        # Not within the clause above: Hypothesis counts errors with different contexts as different failures.
        if self._orders is not None:
            error = self._orders.plainest(self, error, lambda: self.run_once(main, *args))
        elif self.strategy:
            error.add_note(f"({self.strategy} has found it)")
        raise hidden(error)

    def run_once(self, main: Callable[..., Awaitable[T]], *args: object) -> T:
        """Do as `run`, without further plays after a failure."""
        return trio.run(self._play, main, args, clock=MockClock(autojump_threshold=0))

    def play_again(self, order: Mapping[int, int], run: Callable[[], object]) -> Played:
        """Make these choices in a further play, and tell what it showed."""
        self._replayed, self._fixed = True, dict(order)
        error: Exception | None = None
        try:
            run()
        except Exception as raised:  # noqa: BLE001 - any failure of the program
            error = raised
        finally:
            self._replayed = False
        return Played(self.deviations, self.counts, error)

    async def _play(self, main: Callable[..., Awaitable[T]], args: tuple[object, ...]) -> T:
        async with self.playing_in_runtime():
            with self.steps.watched():
                return await main(*args)
        raise AssertionError("an exit signal has ended the first process before it returned a result")
