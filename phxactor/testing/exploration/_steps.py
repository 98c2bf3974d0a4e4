"""Runs trio one step at a time: a function chooses what happens next.

Trio runs all ready tasks as one batch, in random order. For Hypothesis it can sort a batch first, and shuffle it with a
seeded random source. Here that source is replaced by an object whose `shuffle` empties the batch. From then on, an
instrument puts one task after the other into that same batch, until no task is ready or trio must look at its input,
its deadlines and its entry queue. So many steps take one pass of trio's loop.

These are private parts of trio. If they are missing, the import fails with one line. If trio takes a step that was not
chosen here, the play fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import inf
from typing import Any, Final
from unittest.mock import patch

import trio

from phxactor.runtime import private, unknown
from phxactor.testing.exploration._chance import Chance
from phxactor.testing.exploration._clock import Clock, clock_of
from phxactor.testing.exploration._faults import Budget, Fault, Faults
from phxactor.testing.exploration._options import Choose, Option, Task, Tell
from phxactor.testing.exploration._receiving import Receiving
from phxactor.testing.exploration._waits import Wait, endless, stuck, waits
from phxactor.testing.exploration._watcher import Watcher

_run: Final = private(
    "_run",
    "_ALLOW_DETERMINISTIC_SCHEDULING",
    "GLOBAL_RUN_CONTEXT",
    "Runner.runq",
    "Runner.entry_queue",
    "Runner.init_task",
    "Runner.waiting_for_idle",
)

PATIENCE: Final = 100
"""The maximum of steps for which a task is postponed, so that a task that polls for a postponed one ends."""
LOOK: Final = 64
"""Steps after which trio looks at its input, whatever else is ready."""
STEPS: Final = 100_000
"""Steps after which a play counts as endless."""
PASSES: Final = 3
"""Scheduler passes without a step after which a play counts as stuck."""


class Steps(trio.abc.Instrument):
    """Lets tasks take their steps one by one, as `choose` says; it is asked only if there are at least two options.

    Tasks are ordered by the step in which they became ready, then by age. A postponed task waits until no other task is
    ready, but at most `PATIENCE` steps. The clock is the last option.
    """

    watcher: Watcher | None = None
    """Is told of each step."""

    def __init__(
        self, choose: Choose, tell: Tell | None = None, *, timeouts: float = 0.0, faults: Faults | None = None
    ) -> None:
        """Store what chooses and is told, and up to how many seconds a deadline may pass while others could run."""
        self._choose = choose
        self._tell = tell
        self._timeouts = timeouts
        self.budget = Budget(faults or Faults())
        self._faulty = faults is not None
        self.free = True
        """Whether there are choices; if not, everything is first come, first served."""
        self.ending = False
        """Whether the program has its result: from then on there are choices between tasks only."""
        self.steps = 0
        """The number of steps so far."""
        self._since: dict[Task, int] = {}
        self._late_until: dict[Task, int] = {}
        self._chosen: Task | None = None
        """The task that takes the next step."""
        self._batch: list[Task] | None = None
        """Trio's batch, in which the chosen task is put; None before the first one that is ordered here."""
        self._passes = 0
        """Passes of trio's loop so far; the one in which the block begins is not ordered here."""
        self._passed = 0
        """The step at which trio last looked at its input."""
        self._looking: Task | None = None
        """The ready task that only looks into its mailbox, and waits again: it is not asked for."""
        self._unasked = False
        """Whether a task has taken a step without being chosen."""
        self._runner: Any = None
        self._clock: Clock | None = None
        self.receiving = Receiving()
        self._watch: trio.CancelScope | None = None
        self._waits: list[Wait] = []  # when no task could go on
        self._idle = 0
        self._endless = inf

    def waits(self, running: Sequence[Task] = ()) -> list[Wait]:
        """List for what the processes wait, except those that run or could."""
        return waits(self._runner.init_task, [*self._runner.runq, *running])

    def begin(self, choose: Choose) -> None:
        """Begin a further play in the same loop, at time 0; there are no choices until `free` is set."""
        self._choose = choose
        self.free = self.ending = False
        self.steps, self._passed, self._endless = 0, -1, inf
        self._late_until.clear()
        self.budget.begin()
        if self._clock is not None:
            self._clock.begin()

    @contextmanager
    def ordered(self) -> Iterator[None]:
        """Order the steps of the current trio loop while the block lasts.

        Raises:
            ImportError: this version of trio chooses the next step in another way.

        """
        self._runner = _run.GLOBAL_RUN_CONTEXT.runner
        with ExitStack() as stack:
            self._clock = stack.enter_context(clock_of(self._runner, self._timeouts))
            stack.enter_context(self.receiving.stepwise())
            if self._faulty:
                stack.enter_context(self.budget.in_force(self._ask_here, self._late))
            trio.lowlevel.add_instrument(self)
            stack.callback(trio.lowlevel.remove_instrument, self)
            stack.callback(self._leave)
            stack.enter_context(patch.object(_run, "_r", Chance(self._begin_pass, self._runner)))
            stack.enter_context(patch.object(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", new=True))
            yield
            if self._unasked:
                raise unknown("a task has run that Schedule had not chosen")

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Cancel the block, and raise DeadlockError, if no task can go on, or if there is no end in sight."""
        first, self._endless, self._idle = self.steps, self.steps + STEPS, 0
        scope = self._watch = trio.CancelScope()
        try:
            with scope:
                yield
        finally:
            self._watch = None
        if scope.cancelled_caught:
            raise stuck(self._waits) if self.steps <= self._endless else endless(self.steps - first)

    # ---------------------------------------------------------------------------- called by trio as an instrument

    def after_task_step(self, task: Task) -> None:
        """Choose the task that takes the next step."""
        if self.watcher is not None:
            self.watcher.after(self._new())
        if task is not self._chosen and self._passes:
            self._unasked = True
        if self._batch is not None:
            self._next()

    def task_spawned(self, task: Task) -> None:
        """Tell the watcher of a new task."""
        if self.watcher is not None:
            self.watcher.spawned(task)

    def before_io_wait(self, timeout: float) -> None:
        """Note a pass without a step."""
        self._passes += 1
        self._idle += 1
        if self._watch is not None and self._idle > PASSES and self._runner.deadlines.next_deadline() == inf:
            self._waits = self.waits()
            self._watch.cancel(reason="no task can go on")

    # ------------------------------------------------------------------------------ called by trio for each batch

    def _begin_pass(self, batch: list[Task]) -> None:
        """Begin a pass: put all ready tasks back, and choose one."""
        self._runner.runq.extend(batch)
        batch.clear()
        self._batch = batch
        self._passed = self.steps
        if self.watcher is not None:
            self.watcher.passed(self._new(), self._clock)
        self._next()

    def _new(self) -> list[Task]:
        """Return the tasks that have become ready since the last step."""
        return [task for task in self._runner.runq if task not in self._since]

    def _leave(self) -> None:
        self._batch = self._runner = self._clock = self._chosen = None  # the rest of this pass is trio's own
        self._since.clear()
        self._late_until.clear()

    def _must_pass(self) -> bool:
        """Return whether trio must look at its input, its deadlines or its entry queue before the next step."""
        clock = self._clock
        return (
            clock is None
            or self.steps - self._passed >= LOOK
            or bool(self._runner.entry_queue.queue or self._runner.entry_queue.idempotent_queue)
            or clock.due()
        ) and self._passed != self.steps

    def _next(self) -> None:
        """Put the task that takes the next step into the batch; leave it empty for a pass of trio's loop."""
        if not self._runner.runq or self._must_pass():
            return
        self.steps = now = self.steps + 1
        self._idle = 0
        if now > self._endless and self._watch is not None:
            self._watch.cancel(reason="the play has no end")
        ready = self._ready(now)
        chosen: Task | Clock
        if self._looking is not None:
            chosen, self._looking = self._looking, None
            if self.watcher is not None:
                self.watcher.looks()
        elif len(ready) == 1 and not self._timeouts and not self._faulty:
            chosen = ready[0]
        else:
            chosen = self._choice(ready)
        if isinstance(chosen, Clock):
            self._chosen = None
            chosen.jump()
            return
        if self.watcher is not None:
            self.watcher.before(chosen, ready)
        self._runner.runq.remove(chosen)
        del self._since[chosen]
        if self._late_until:
            self._late_until.pop(chosen, None)
        self._chosen = chosen
        self._batch.append(chosen)  # type: ignore[union-attr]

    def _choice(self, ready: Sequence[Task]) -> Task | Clock:
        """Choose what happens next, if there are several possibilities; postpone the tasks before it."""
        while True:
            options: list[Option] = list(ready)
            if self.free and not self.ending:
                if self._clock is not None and self._clock.may_jump():
                    options.append(self._clock)
                if self._faulty:
                    options += self.budget.kills()
            if len(options) == 1 or not self.free:
                return ready[0]
            chosen = self._ask(options)
            wanted = options[chosen]
            if not isinstance(wanted, Fault):
                break
            if self.watcher is not None:
                self.watcher.fails(wanted)
            self.budget.kill(wanted)
            if self.watcher is not None:
                self.watcher.after(self._new())
            ready = self._ready(self.steps)
        for task in ready[:chosen]:
            self._late(task)
        return wanted  # type: ignore[return-value]  # it is no failure

    def _ask(self, options: Sequence[Option]) -> int:
        chosen = self._choose(options)
        if chosen and self._tell is not None:
            self._tell(options, chosen)
        return chosen

    def _ask_here(self, options: Sequence[Option]) -> int:
        return self._ask(options) if self.free else 0

    def _late(self, task: Task) -> None:
        self._since[task], self._late_until[task] = self.steps, self.steps + PATIENCE

    def _ready(self, now: int) -> list[Task]:
        """Sort the ready tasks, and find one that only looks into its mailbox and goes on to wait."""
        since, late = self._since, self._late_until
        ready: list[Task] = list(self._runner.runq)
        for task in ready:
            if task not in since:
                since[task] = self._arrival(task, now)
                if self._looking is None and self._looks(task):
                    self._looking = task
        if len(ready) == 1:
            return ready
        if late:
            ready.sort(key=lambda task: (late.get(task, 0) > now, since[task], task._counter))  # noqa: SLF001
        else:
            ready.sort(key=lambda task: (since[task], task._counter))  # noqa: SLF001
        return ready

    def _arrival(self, task: Task, now: int) -> int:
        """Return the place of a task that has become ready.

        One that takes a message that is there goes on, as it does without a schedule.
        """
        if task in self.receiving.resting:
            self.receiving.resting.remove(task)
            return 0
        return now

    def _looks(self, task: Task) -> bool:
        """Return whether a ready task will find nothing in its mailbox, and wait again: then it is not asked for."""
        return task in self.receiving.pending and self.receiving.in_vain(task)
