"""Stopping the tasks of a simulated node, as SIGSTOP stops a process: time goes on, and nothing of it runs.

A task that becomes ready is taken from trio's queue before it runs, and comes back into it when the node goes on. The
queue is a private part of trio. If it is missing, the import fails with one line.
"""

from __future__ import annotations

from typing import Final

import trio

from phxactor.runtime import private

_run: Final = private("_run", "GLOBAL_RUN_CONTEXT", "Runner.runq", "Runner.reschedule")


class Stopped(trio.abc.Instrument):
    """Holds back all tasks below the stopped ones."""

    def __init__(self) -> None:
        """Start with no task stopped."""
        self._held: dict[trio.lowlevel.Task, list[trio.lowlevel.Task]] = {}
        """The stopped tasks, and what has become ready below each."""

    def __contains__(self, task: trio.lowlevel.Task) -> bool:
        """Say whether a task is stopped."""
        return task in self._held

    async def stop(self, task: trio.lowlevel.Task) -> None:
        """Stop a task and all below it. When this returns, none of them runs any more."""
        if task in self._held:
            return
        if not self._held:
            trio.lowlevel.add_instrument(self)
        self._held[task] = []
        ready = _run.GLOBAL_RUN_CONTEXT.runner.runq
        for one in list(ready):
            if self._stopped_above(one) is task:
                ready.remove(one)
                self._held[task].append(one)
        await trio.lowlevel.cancel_shielded_checkpoint()  # the tasks of this pass take their last step

    def go_on(self, task: trio.lowlevel.Task) -> None:
        """Let a task and all below it go on."""
        held = self._held.pop(task, [])
        _run.GLOBAL_RUN_CONTEXT.runner.runq.extend(held)
        if not self._held:
            trio.lowlevel.remove_instrument(self)

    def task_scheduled(self, task: trio.lowlevel.Task, /) -> None:
        """Take a task that has become ready from the queue, where it is the last."""
        stopped = self._stopped_above(task)
        if stopped is not None:
            _run.GLOBAL_RUN_CONTEXT.runner.runq.pop()
            self._held[stopped].append(task)

    def _stopped_above(self, task: trio.lowlevel.Task | None) -> trio.lowlevel.Task | None:
        while task is not None:
            if task in self._held:
                return task
            task = task.parent_nursery.parent_task if task.parent_nursery is not None else None
        return None
