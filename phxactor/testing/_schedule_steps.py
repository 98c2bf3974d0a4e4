"""Runs trio one step at a time: a function chooses the ready task that takes the next step.

Trio runs all ready tasks as one batch, in random order, so that no program relies on the order. For Hypothesis it can
sort a batch first, and shuffle it with a seeded random source. Here that source is replaced by an object whose
`shuffle` leaves one task in the batch, and puts the others into the next batch.

These are private parts of trio. If they are missing, the import fails with one line. If trio takes a step that was not
chosen here, the play fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableSequence
from contextlib import contextmanager
from random import Random
from typing import Any, Final
from unittest.mock import patch

import trio

from phxactor.runtime import Pid, current, events, private, unknown
from phxactor.telemetry import Event

_run: Final = private("_run", "_r.shuffle", "_ALLOW_DETERMINISTIC_SCHEDULING", "GLOBAL_RUN_CONTEXT", "Runner.runq")

PATIENCE: Final = 100
"""The maximum of steps for which a task is postponed, so that a task that polls for a postponed one ends."""
MOST_TAKEN: Final = 3
"""A process with several messages may be made to yield after any number of them up to this."""


class Steps(trio.abc.Instrument):
    """Lets tasks take their steps one by one. `choose(n)` returns how many of the n ready tasks, the first, wait.

    Tasks are ordered by the step in which they became ready, then by age. A postponed task waits until no other task is
    ready, but at most `PATIENCE` steps.
    """

    def __init__(
        self, choose: Callable[[int], int], tell: Callable[[str], object], show: Callable[[Pid], str] = repr
    ) -> None:
        """Store what chooses, what is told of each choice other than 0, and what shows a process."""
        self._choose = choose
        self._tell = tell
        self._show = show
        self._now = 0
        self._ready_since: dict[trio.lowlevel.Task, int] = {}
        self._late_until: dict[trio.lowlevel.Task, int] = {}
        self._spawned: Pid | None = None
        self._new: dict[trio.lowlevel.Task, Pid] = {}
        """Processes that have not run yet, by task: the task's context does not name its process yet."""
        self._chosen: trio.lowlevel.Task | None = None
        """The task that takes the next step."""
        self._passed = False
        """Whether the batch in which the block began is over; that batch was not ordered here."""
        self._unasked = False
        """Whether a task has taken a step without being chosen."""

    @contextmanager
    def ordered(self) -> Iterator[None]:
        """Order the steps of the current trio loop while the block lasts.

        Raises:
            ImportError: this version of trio chooses the next step in another way.

        """
        chance = _Chance(self._next, _run.GLOBAL_RUN_CONTEXT.runner)
        trio.lowlevel.add_instrument(self)
        events.spawned.attach(self._note)
        try:
            with (
                patch.object(_run, "_r", chance),
                patch.object(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", new=True),
            ):
                yield
            if self._unasked:
                raise unknown("a task has run that Schedule had not chosen")
        finally:
            events.spawned.detach(self._note)
            trio.lowlevel.remove_instrument(self)

    # ---------------------------------------------------------------------------- called by trio as an instrument

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        """Note which process a new task is."""
        if self._spawned is not None:
            self._new[task], self._spawned = self._spawned, None

    def task_scheduled(self, task: trio.lowlevel.Task) -> None:
        """Note when a task became ready."""
        self._ready_since[task] = self._now

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Choose how many messages a process takes before it yields, if it has several."""
        if self._passed and task is not self._chosen:
            self._unasked = True
        pid = self._new.pop(task, None) or task.context.get(current)
        if pid is not None and pid.port is None and len(pid.mailbox) > 1 and not pid.statistics().receiving:
            taken = self._choose(min(len(pid.mailbox), MOST_TAKEN + 1))
            if taken:
                pid.budget = min(pid.budget, taken)
                self._tell(f"{self._show(pid)} takes {taken} of {len(pid.mailbox)} messages at once")

    def before_io_wait(self, timeout: float) -> None:
        """Note that the first batch is over."""
        self._passed = True

    def _note(self, _: Event, fields: Mapping[str, object]) -> None:
        pid = fields["pid"]
        if isinstance(pid, Pid):
            self._spawned = pid

    # ------------------------------------------------------------------------------ called by trio for each batch

    def _next(self, batch: list[trio.lowlevel.Task]) -> list[trio.lowlevel.Task]:
        """Leave the chosen task in the batch, and return the others."""
        if not batch:
            return []
        self._now += 1
        since, late = self._ready_since, self._late_until
        batch.sort(key=lambda task: (late.get(task, 0) > self._now, since.get(task, 0)))
        waiting = self._choose(len(batch)) if len(batch) > 1 else 0
        for task in batch[:waiting]:
            since[task], late[task] = self._now, self._now + PATIENCE
        if waiting:
            self._tell(f"{', '.join(map(self._name, batch[:waiting]))} must wait for the others")
        chosen = batch.pop(waiting)
        since.pop(chosen, None)
        late.pop(chosen, None)
        self._chosen = chosen
        others, batch[:] = list(batch), [chosen]
        return others

    def _name(self, task: trio.lowlevel.Task) -> str:
        pid = self._new.get(task) or task.context.get(current)
        return task.name if pid is None else self._show(pid)


class _Chance(Random):
    """The replacement of trio's random source."""

    def __init__(self, take: Callable[[list[trio.lowlevel.Task]], list[trio.lowlevel.Task]], runner: Any) -> None:  # noqa: ANN401
        """Start from the same seed each time."""
        super().__init__(0)
        self._take = take
        self._runner = runner

    def shuffle(self, x: MutableSequence[Any]) -> None:
        """Leave one task in the batch, and put the others into the next; not for loops of other threads."""
        if _run.GLOBAL_RUN_CONTEXT.runner is self._runner and isinstance(x, list):
            self._runner.runq.extend(self._take(x))
