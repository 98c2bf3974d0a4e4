"""What a process leaves open is closed at its end, by its own task: generators, nurseries and cancel scopes.

trio keeps for each task the stack of the scopes that it has entered. A process that ended inside of a scope that it
never left would take down the scope around the process too, and with it the nursery of all processes. So the last act
of a process, whatever way it ends, is to close what stands above its own scope, the innermost first:

    held by an async generator    `aclose()`: its `finally` and `with` blocks run (see `generators`)
    a nursery                     is cancelled, and its tasks end before the process does
    a bare cancel scope           is forgotten; should anybody leave it later, nothing happens

All of it runs cancelled: cleanup that waits is cut short, as it is after a fatal signal (TM6).

trio has no public way to see that stack. This file and `generators` are the only ones that use what is private in trio;
`_check` says so where a version of trio keeps it in another way.
"""

from __future__ import annotations

import inspect
from math import inf
from typing import Any, Final, TypeAlias

import trio
from trio.lowlevel import Task, current_task

from phxactor.runtime.generators import AnyGenerator, open_scopes
from phxactor.runtime.pid import Pid, current

PASSES: Final = 4
"""Passes of the scheduler in which lost tasks may end."""

Status: TypeAlias = Any
"""A level of trio's stack: it has a `_scope` and a `parent`."""


def _check() -> None:
    """Say in one line that a version of trio is not known, at the first import instead of at a process's end."""
    wanted = {
        Task: ("_cancel_status", "_child_nurseries", "_activate_cancel_status"),
        trio.CancelScope: ("_cancel_status",),
    }
    missing = [f"{kind.__name__}.{name}" for kind, names in wanted.items() for name in names if not hasattr(kind, name)]
    if missing:
        raise ImportError(f"phxactor does not know trio {trio.__version__}: it has no {', '.join(missing)}")


_check()


async def close_left_open(
    pid: Pid, scope: trio.CancelScope, *, outer_nurseries: int = 0, complained: bool = False
) -> list[BaseException]:
    """Close what the current task has open within `scope`, which it cancels; return what that raised.

    With the scope of the process, that is all of its generators too, also those that have entered no scope.
    `outer_nurseries` is the number of nurseries that the task had opened before `scope`; `complained` says that its
    failure may be a complaint of trio's (`is_complaint`).
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
    """Lift the shields that a callback has left up, so that signals reach the process that goes on after it (TM7).

    For processes that wait in other ways than `receive`, which is woken in a shield too.
    """
    status: Status = current_task()._cancel_status
    scope = current.get().scope
    base = None if scope is None else scope._cancel_status
    while status is not None and status is not base:
        if status._scope.shield:
            status._scope.shield = False
        status = status.parent


def is_complaint(failure: BaseException) -> bool:
    """Tell whether a failure may be trio's complaint about nurseries or scopes that were not left in order."""
    if isinstance(failure, BaseExceptionGroup):
        return any(map(is_complaint, failure.exceptions))
    return isinstance(failure, AssertionError | RuntimeError)


async def end_lost_tasks() -> None:
    """Cancel the tasks whose nursery's own task has ended: somebody lost a nursery, and hid trio's complaint."""
    every: set[Task] = current_task()._runner.tasks
    lost = {one.parent_nursery for one in every if one.parent_nursery and _has_ended(one.parent_nursery.parent_task)}
    for nursery in lost:
        nursery.cancel_scope.cancel(reason="its task has ended")
    if lost:
        for _ in range(PASSES):
            await trio.lowlevel.cancel_shielded_checkpoint()


def _has_ended(task: Task) -> bool:
    return inspect.getcoroutinestate(task.coro) == inspect.CORO_CLOSED


class _Closing:
    """The end of one process."""

    def __init__(self, pid: Pid, task: Task, scope: trio.CancelScope, outer_nurseries: int) -> None:
        self.raised: list[BaseException] = []
        self._pid = pid
        self._task = task
        if scope._cancel_status is None:  # somebody within the process has exited it: there has to be one to leave
            scope._has_been_entered = False
            scope.__enter__()
        self._base: Status = scope._cancel_status
        self._outer_nurseries = outer_nurseries
        self._tried: set[int] = set()
        """Addresses of the generators that were closed, or would not be."""

    async def close_stack(self) -> None:
        """Close what stands above the scope of the process, the innermost first."""
        while True:
            stack = self._stack()
            nurseries = self._task._child_nurseries[self._outer_nurseries :]
            if stack:
                holders = [generator for generator in self.suspended() if _may_hold(generator, stack[0]._scope)]
                if holders:
                    await self.close_generators(holders[:1])  # the oldest: younger ones are open within it
                    continue
            if nurseries and (not stack or not self._is_bare(stack[0], nurseries)):
                await self._close_nursery(nurseries[-1])
            elif stack:
                self._forget(stack[0])
            else:
                return

    async def close_lost_nurseries(self) -> None:
        """Close the nurseries that trio took off the task's list when others were not left in order.

        They are found by their tasks, of which all that there are have to be looked at.
        """
        every: set[Task] = self._task._runner.tasks
        mine = {
            one.parent_nursery for one in every if one.parent_nursery and one.parent_nursery.parent_task is self._task
        }
        for nursery in mine.difference(self._task._child_nurseries):
            self._task._child_nurseries.append(nursery)
            await self._close_nursery(nursery)

    def suspended(self) -> list[AnyGenerator]:
        """List the generators of the process that wait at a `yield` and were not tried yet, the oldest first."""
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
            except BaseExceptionGroup as group:  # a nursery has wrapped it
                if (rest := group.split(GeneratorExit)[1]) is not None:
                    self._take(rest)
            except BaseException as error:  # noqa: BLE001 - it is told, or becomes the reason
                self._take(error)

    def _stack(self) -> list[Status]:
        """List what the task has entered above the scope of the process, the innermost first."""
        stack: list[Status] = []
        status: Status = self._task._cancel_status
        while status is not self._base and status is not self._base.parent and status is not None:
            stack.append(status)
            status = status.parent
        if status is not self._base:  # a scope below was exited too early, which cut off what stood above it
            if stack:
                stack[-1].parent = self._base
            else:
                self._task._activate_cancel_status(self._base)
        return stack

    def _is_bare(self, status: Status, nurseries: list[trio.Nursery]) -> bool:
        """Tell whether a level of the stack is no nursery's, and may go before the last nursery does."""
        return all(nursery.cancel_scope is not status._scope for nursery in nurseries)

    async def _close_nursery(self, nursery: trio.Nursery) -> None:
        nursery.cancel_scope.cancel(reason=f"{self._pid!r} has left it open")
        manager: Any = trio.open_nursery()
        manager._nursery, manager._scope = nursery, nursery.cancel_scope
        try:
            await manager.__aexit__(None, None, None)
        except BaseException as error:  # noqa: BLE001 - it is told, or becomes the reason
            self._take(error)
        finally:
            if nursery in self._task._child_nurseries:
                self._task._child_nurseries.remove(nursery)

    def _forget(self, status: Status) -> None:
        """Take a bare scope off the stack, and leave it in the state in which trio leaves what nobody can exit."""
        status._scope.deadline = inf
        self._task._activate_cancel_status(status.parent)
        status.parent = None
        status._mark_abandoned()

    def _take(self, error: BaseException) -> None:
        trace = error.__traceback__
        self.raised.append(error if trace is None else error.with_traceback(trace.tb_next))


def _may_hold(generator: AnyGenerator, scope: trio.CancelScope) -> bool:
    scopes = open_scopes(generator)
    return scopes is None or scope in scopes
