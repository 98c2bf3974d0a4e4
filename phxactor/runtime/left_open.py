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

from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias

import trio
from trio.lowlevel import Task, current_task

from phxactor.runtime.generators import AnyGenerator, open_scopes

if TYPE_CHECKING:
    from phxactor.runtime.pid import Pid

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


def is_anything_open(pid: Pid, scope: trio.CancelScope, outer_nurseries: int = 0) -> bool:
    """Tell whether the current task has entered something within the scope of its process that it has not left.

    `outer_nurseries` is the number of nurseries that the task had opened before `scope`.
    """
    task = current_task()
    return (
        task._cancel_status is not scope._cancel_status
        or len(task._child_nurseries) > outer_nurseries
        or bool(pid.generators)
    )


async def close_left_open(pid: Pid, scope: trio.CancelScope, outer_nurseries: int = 0) -> list[BaseException]:
    """Close what the current task has open within `scope`, which it cancels; return what that raised."""
    if not is_anything_open(pid, scope, outer_nurseries):
        return []
    task = current_task()
    scope.cancel(reason=f"{pid!r} closes what it has left open")
    closing = _Closing(pid, task, scope, outer_nurseries)
    await closing.close_stack()
    await closing.close_generators(closing.suspended())
    pid.generators = None
    return closing.raised


class _Closing:
    """The end of one process."""

    def __init__(self, pid: Pid, task: Task, scope: trio.CancelScope, outer_nurseries: int) -> None:
        self.raised: list[BaseException] = []
        self._pid = pid
        self._task = task
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
        status: Status = self._task._cancel_status
        if status is None:
            self._task._activate_cancel_status(self._base)
            status = self._base
        stack: list[Status] = []
        while status is not self._base:
            stack.append(status)
            if status.parent is None:  # a scope below was exited too early, which cut this one off
                status.parent = self._base
            status = status.parent
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
