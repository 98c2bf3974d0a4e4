"""Closes what a process leaves open at its end, in its own task: generators, nurseries and cancel scopes.

For each task, trio keeps a stack of the scopes that the task has entered. A process that ended inside a scope would
also take down the scope around the process, and with it the nursery of all processes. So, whatever way a process
ends, its last act is to close the levels above its own scope, the innermost first:

    held by an async generator    `aclose()`: its `finally` and `with` blocks run (see `generators`)
    a nursery                     is cancelled, and its tasks end before the process does
    a bare cancel scope           is forgotten; leaving it later has no effect

All of this runs cancelled: cleanup that awaits is cut short, as after a fatal signal (TM6).

trio has no public way to see that stack. This module, `generators` and `process` use trio's private names for it.
`generators` checks them by `trio_internals`, which refuses a version of trio that lacks them.
"""

from __future__ import annotations

import inspect
from math import inf
from typing import Any, TypeAlias

import trio
from trio.lowlevel import Task, current_task

from phxactor.runtime._generators import AnyGenerator, open_scopes
from phxactor.runtime._pid import Pid, current

Status: TypeAlias = Any
"""One level of a task's scope stack, trio's private `CancelStatus`: it has a `_scope` and a `parent`."""


async def close_left_open(
    pid: Pid, scope: trio.CancelScope, *, outer_nurseries: int = 0, complained: bool = False
) -> list[BaseException]:
    """Cancel `scope`, close what the current task has open within it, and return the exceptions that this raised.

    If `scope` is the scope of the process, all of the process's generators are closed, also those without scopes.
    `outer_nurseries` is the number of nurseries that the task had opened before `scope`. `complained` says that the
    failure of the process may be trio's complaint about the order of scopes (`is_complaint`).
    """
    task = current_task()
    scope.cancel(reason=f"{pid!r} closes what it has left open")
    closing = _Closing(pid, task, scope, outer_nurseries)
    await closing.close_stack()
    if scope is pid.scope:
        await closing.close_generators(closing.suspended())
        pid.generators = None
    if complained or any(map(is_complaint, closing.raised)):
        await closing.close_lost_nurseries()
    return closing.raised


def lift_shields() -> None:
    """Lift the shields that a callback has left in place, so that signals reach the process after it (TM7).

    For processes that wait by other means than `receive`; a signal wakes `receive` in a shield too.
    """
    status: Status = current_task()._cancel_status
    scope = current.get().scope
    base = None if scope is None else scope._cancel_status
    while status is not None and status is not base:
        if status._scope.shield:
            status._scope.shield = False
        status = status.parent


def is_complaint(failure: BaseException) -> bool:
    """Return whether a failure may be trio's complaint about nurseries or scopes that were not left in order."""
    if issubclass(type(failure), BaseExceptionGroup):
        return any(map(is_complaint, failure.exceptions))  # type: ignore[attr-defined]
    return issubclass(type(failure), AssertionError | RuntimeError)


def end_lost_tasks() -> None:
    """Cancel the nurseries whose parent task has ended: the task lost a nursery and swallowed trio's complaint."""
    every: set[Task] = current_task()._runner.tasks
    lost = {one.parent_nursery for one in every if one.parent_nursery and _has_ended(one.parent_nursery.parent_task)}
    for nursery in lost:
        nursery.cancel_scope.cancel(reason="its task has ended")


def _has_ended(task: Task) -> bool:
    return inspect.getcoroutinestate(task.coro) == inspect.CORO_CLOSED


class _Closing:
    """Closes what one process has left open."""

    def __init__(self, pid: Pid, task: Task, scope: trio.CancelScope, outer_nurseries: int) -> None:
        self.raised: list[BaseException] = []
        self._pid = pid
        self._task = task
        if scope._cancel_status is None:  # code in the process has exited it: enter it again, so that it can be left
            scope._has_been_entered = False
            scope.__enter__()
        self._base: Status = scope._cancel_status
        self._outer_nurseries = outer_nurseries
        self._levels: list[Status] = []
        """The levels that the task has entered above the scope of the process, the innermost last."""
        self._of_nurseries: set[trio.CancelScope] = set()
        """The cancel scopes of the task's nurseries."""
        self._holders: dict[trio.CancelScope, AnyGenerator] = {}
        """For each open scope, the oldest generator that holds it: younger holders are open within that generator."""
        self._opaque: list[AnyGenerator] = []
        """Generators that refer to too many objects to search, so that they may hold any scope."""
        self._searched: set[int] = set()
        """Addresses of the generators that have been searched for scopes."""
        self._tried: set[int] = set()
        """Addresses of the generators on which `aclose()` has been called, whether or not it succeeded."""

    async def close_stack(self) -> None:
        """Close the levels above the scope of the process, the innermost first.

        A client may control how much a handler leaves open, so the work is bounded: each generator is searched once,
        and the stack is walked once.
        """
        while True:
            top = self._top()
            nursery = self._last_nursery()
            if top is not None and (holder := self._holder(top._scope)) is not None:
                await self.close_generators([holder])
            elif nursery is not None and (top is None or top._scope in self._of_nurseries):
                await self._close_nursery(nursery)
            elif top is not None:
                self._forget(top)
            else:
                return

    async def close_lost_nurseries(self) -> None:
        """Close the nurseries that trio has removed from the task's list because others were not left in order.

        Only their child tasks lead to them, so this searches all tasks of the trio run.
        """
        every: set[Task] = self._task._runner.tasks
        mine = {
            one.parent_nursery for one in every if one.parent_nursery and one.parent_nursery.parent_task is self._task
        }
        for nursery in mine.difference(self._task._child_nurseries):
            self._task._child_nurseries.append(nursery)
            await self._close_nursery(nursery)

    def suspended(self) -> list[AnyGenerator]:
        """List the generators of the process that are suspended at a `yield` and not yet tried, the oldest first."""
        opened = [] if self._pid.generators is None else list(self._pid.generators.values())
        generators = [generator for one in opened if (generator := one.suspended()) is not None]
        return [generator for generator in generators if id(generator) not in self._tried]

    async def close_generators(self, generators: list[AnyGenerator]) -> None:
        """Close generators, the youngest first."""
        for generator in reversed(generators):
            self._tried.add(id(generator))
            try:
                await generator.aclose()
            except GeneratorExit:
                pass
            except BaseExceptionGroup as group:  # a nursery has wrapped the GeneratorExit
                if (rest := group.split(GeneratorExit)[1]) is not None:
                    self._take(rest)
            except BaseException as error:  # noqa: BLE001 - it is reported, or becomes the exit reason
                self._take(error)

    def _top(self) -> Status | None:
        """Return the innermost level that is still open."""
        levels, now = self._levels, self._task._cancel_status
        while levels and levels[-1] is not now:
            levels.pop()
        if not levels and now is not self._base:
            self._walk()
        return levels[-1] if levels else None

    def _walk(self) -> None:
        """List the levels. If exiting an outer scope too early has cut them off from the base, attach them again."""
        status: Status = self._task._cancel_status
        while status is not self._base and status is not self._base.parent and status is not None:
            self._levels.append(status)
            status = status.parent
        if status is not self._base:
            if self._levels:
                self._levels[-1].parent = self._base
            else:
                self._task._activate_cancel_status(self._base)
        self._levels.reverse()

    def _holder(self, scope: trio.CancelScope) -> AnyGenerator | None:
        """Return a generator that holds the scope, or may hold it, and has not been tried yet."""
        opened = self._pid.generators
        if opened is not None and len(opened) != len(self._searched):  # generators have begun or gone since
            self._search()
        holder = self._holders.get(scope)
        if holder is not None and id(holder) not in self._tried:
            return holder
        return self._opaque.pop() if self._opaque else None

    def _search(self) -> None:
        generators = self.suspended()
        for generator in generators:
            if id(generator) not in self._searched:
                scopes = open_scopes(generator)
                if scopes is None:
                    self._opaque.append(generator)
                for scope in scopes or ():
                    self._holders.setdefault(scope, generator)
        self._searched = set(self._pid.generators or ())

    def _last_nursery(self) -> trio.Nursery | None:
        """Return the nursery that was opened last, and record the cancel scopes of all nurseries."""
        nurseries = self._task._child_nurseries
        if len(nurseries) <= self._outer_nurseries:
            return None
        last = nurseries[-1]
        if last.cancel_scope not in self._of_nurseries:
            self._of_nurseries.update(nursery.cancel_scope for nursery in nurseries[self._outer_nurseries :])
        return last

    async def _close_nursery(self, nursery: trio.Nursery) -> None:
        nursery.cancel_scope.cancel(reason=f"{self._pid!r} has left it open")
        manager: Any = trio.open_nursery()
        manager._nursery, manager._scope = nursery, nursery.cancel_scope
        try:
            await manager.__aexit__(None, None, None)
        except BaseException as error:  # noqa: BLE001 - it is reported, or becomes the exit reason
            self._take(error)
        finally:
            if nursery in self._task._child_nurseries:
                self._task._child_nurseries.remove(nursery)

    def _forget(self, status: Status) -> None:
        """Take a bare scope off the stack, and mark it abandoned, as trio does with a scope that no task can exit."""
        status._scope.deadline = inf
        self._task._activate_cancel_status(status.parent)
        status.parent = None
        status._mark_abandoned()
        if not status._tasks:  # else it belongs to a lost nursery, and must still cancel that nursery's tasks
            status._scope = trio.CancelScope()  # a new one, since the old scope and its status are a reference cycle

    def _take(self, error: BaseException) -> None:
        trace = error.__traceback__
        self.raised.append(error if trace is None else error.with_traceback(trace.tb_next))
