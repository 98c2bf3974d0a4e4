"""Trio, one step at a time: which task that is ready takes the next step is asked for, and never left to chance.

Trio runs all tasks that are ready as one batch, which it turns round by chance, so that no program relies on the order;
for Hypothesis it can sort a batch first, and shuffles it with a source of chance that may be seeded. In place of that
source stands an object here whose `shuffle` lets one task of the batch run, and hands the others back for the next.
These are private parts of trio: the import fails, in one line, where they are missing, and the play fails where trio
takes a step that was not chosen here.
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
"""Steps that those who have to wait do so at the most: who asks again and again whether something is done, ends."""
MOST_TAKEN: Final = 3
"""A process that has more messages than one may be made to rest after any number up to this."""


class Steps(trio.abc.Instrument):
    """Lets tasks take their steps one by one; `choose(n)` says how many of n, the first, have to wait for the others.

    Who became ready in an earlier step is before those who did in a later one; of those who did in the same step, the
    task that is older. Who has to wait does so until nobody else is ready, but no longer than `PATIENCE` steps.
    """

    def __init__(self, choose: Callable[[int], int], tell: Callable[[str], object]) -> None:
        """Keep who chooses, and who is told when that is not first come, first served."""
        self._choose = choose
        self._tell = tell
        self._now = 0
        self._ready_since: dict[trio.lowlevel.Task, int] = {}
        self._late_until: dict[trio.lowlevel.Task, int] = {}
        self._spawned: Pid | None = None
        self._new: dict[trio.lowlevel.Task, Pid] = {}
        """Processes that have not run yet: what they run in does not say who they are."""
        self._chosen: trio.lowlevel.Task | None = None
        """Who takes the next step."""
        self._passed = False
        """Whether trio has come to the end of the batch in which the block began: that was not ordered here."""
        self._unasked = False
        """Whether anybody has taken a step who was not chosen."""

    @contextmanager
    def ordered(self) -> Iterator[None]:
        """Take trio's chances away while the block lasts; in the task that runs it.

        Raises:
            ImportError: this trio chooses the next step in another way.

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

    # ------------------------------------------------------------------------------------ what trio tells

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        """Note which process a new task is."""
        if self._spawned is not None:
            self._new[task], self._spawned = self._spawned, None

    def task_scheduled(self, task: trio.lowlevel.Task) -> None:
        """Note when a task became ready."""
        self._ready_since[task] = self._now

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Choose how many messages a process takes at once, if it has several."""
        if self._passed and task is not self._chosen:
            self._unasked = True
        pid = self._new.pop(task, None) or task.context.get(current)
        if pid is not None and pid.port is None and len(pid.mailbox) > 1 and not pid.statistics().receiving:
            taken = self._choose(min(len(pid.mailbox), MOST_TAKEN + 1))
            if taken:
                pid.budget = min(pid.budget, taken)
                self._tell(f"{pid!r} takes {taken} of {len(pid.mailbox)} messages at once")

    def before_io_wait(self, timeout: float) -> None:
        """Note that the first batch is over."""
        self._passed = True

    def _note(self, _: Event, fields: Mapping[str, object]) -> None:
        pid = fields["pid"]
        if isinstance(pid, Pid):
            self._spawned = pid

    # --------------------------------------------------------------------------------- what trio asks for

    def _next(self, batch: list[trio.lowlevel.Task]) -> list[trio.lowlevel.Task]:
        """Take all but one of those that are ready out of the batch."""
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
        return task.name if pid is None else repr(pid)


class _Chance(Random):
    """What trio takes for its source of chance."""

    def __init__(self, take: Callable[[list[trio.lowlevel.Task]], list[trio.lowlevel.Task]], runner: Any) -> None:  # noqa: ANN401
        """Start from the same seed each time."""
        super().__init__(0)
        self._take = take
        self._runner = runner

    def shuffle(self, x: MutableSequence[Any]) -> None:
        """Leave one task in the batch, and hand the others back; the trio of another thread keeps its own order."""
        if _run.GLOBAL_RUN_CONTEXT.runner is self._runner and isinstance(x, list):
            self._runner.runq.extend(self._take(x))
