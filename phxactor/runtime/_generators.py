"""The async generators of each process. The process's own task closes them when the process ends.

A generator that is left by `break` may hold a cancel scope or a nursery open. Those belong to the task that entered
them. trio closes a dropped generator in a task of its own, which would exit the scopes of another task: the result is
the error "Cancel scope stack corrupted" or, with a nursery, a task that is woken while it waits for something else. So
a dropped generator with open scopes is kept until its process ends (`left_open`). trio closes every other one.

Python reports a generator's first step and its last reference (`sys.set_asyncgen_hooks`). A weak reference is dead by
the time of the second call, so the record of a generator (`Opened`) is found by the generator's address.
"""

from __future__ import annotations

import gc
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from types import AsyncGeneratorType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, cast
from weakref import ref

import trio

from phxactor.runtime._pid import Pid, current
from phxactor.runtime._state import DEAD
from phxactor.runtime._trio_internals import private

if TYPE_CHECKING:
    from phxactor.runtime._runtime import Runtime

AnyGenerator: TypeAlias = AsyncGeneratorType[Any, Any]

LOOK: Final = 2000
"""Number of objects to search for the scopes that a generator holds. A generator that refers to more is kept."""


CancelStatus: Final[type] = private(
    "_run",
    "CancelScope._cancel_status",
    "CancelScope._has_been_entered",
    "CancelStatus._mark_abandoned",
    "CancelStatus._scope",
    "CancelStatus.parent",
    "NurseryManager.__aexit__",
    "Runner.tasks",
    "Task._activate_cancel_status",
    "Task._cancel_status",
    "Task._child_nurseries",
    "Task._runner",
).CancelStatus
"""Trio's class for one level of a task's scope stack. `left_open` and `process` use the names in this list too."""

_NOT_FOLLOWED: Final = (ModuleType, FunctionType, type, trio.lowlevel.Task, CancelStatus)
"""Types that the search does not follow: through them it would reach the whole program."""


class Opened(ref[AnyGenerator]):
    """The record of a generator that a process has begun: a weak reference to it, unless `kept` is set."""

    __slots__ = ("kept", "number", "pid")

    number: int
    """The generator's address."""
    pid: Pid
    kept: AnyGenerator | None
    """The generator itself, once nothing else refers to it and it has open scopes."""

    @classmethod
    def by(cls, pid: Pid, generator: AnyGenerator, gone: Callable[[Opened], None]) -> Self:
        """Record that a process has begun a generator; `gone` is called with the record when the generator dies."""
        opened = cls(generator, cast("Callable[[ref[AnyGenerator]], None]", gone))
        opened.number, opened.pid, opened.kept = id(generator), pid, None
        return opened

    def suspended(self) -> AnyGenerator | None:
        """Return the generator if it waits at a `yield`."""
        generator = self() if self.kept is None else self.kept
        if generator is None or generator.ag_frame is None or generator.ag_running:
            return None
        return generator


class Generators:
    """The async generator hooks of one runtime."""

    def __init__(self, runtime: Runtime) -> None:
        """Make the hooks; the task of `main` must make them."""
        self._runtime = runtime
        self._main_task = trio.lowlevel.current_task()
        self._before = sys.get_asyncgen_hooks()
        self._dying: dict[int, Opened] = {}
        """Generators that have died since the last `_first_step`, by address; `_last_reference` looks here."""

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Install the hooks during the block."""
        self._before = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(self._first_step, self._last_reference)
        try:
            yield
        finally:
            self._remove()

    def _remove(self) -> None:
        """Take these hooks out: also from below those of a runtime that began later and has not ended yet."""
        hooks = sys.get_asyncgen_hooks()
        if hooks.firstiter == self._first_step:
            sys.set_asyncgen_hooks(*self._before)
            return
        later = getattr(hooks.firstiter, "__self__", None)
        while isinstance(later, Generators):
            if later._before.firstiter == self._first_step:
                later._before = self._before
                return
            later = getattr(later._before.firstiter, "__self__", None)

    def _first_step(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._forget_the_dead()
        if self._before.firstiter is not None:
            self._before.firstiter(generator)
        pid = current.get(None)
        if not isinstance(generator, AsyncGeneratorType) or pid is None or pid.runtime is not self._runtime:
            return
        if pid.state is not DEAD and (pid is not self._runtime.main or self._in_main()):
            if pid.generators is None:
                pid.generators = {}
            pid.generators[id(generator)] = Opened.by(pid, generator, self._gone)

    def _in_main(self) -> bool:
        """Return whether the current task is that of `main` or below it. Test fixtures inherit only its context."""
        task: trio.lowlevel.Task | None = trio.lowlevel.current_task()
        while task is not None and task is not self._main_task:
            task = None if task.parent_nursery is None else task.parent_nursery.parent_task
        return task is not None

    def _gone(self, opened: Opened) -> None:
        self._dying[opened.number] = opened

    def _last_reference(self, generator: AsyncGenerator[Any, Any]) -> None:
        opened = self._dying.get(id(generator))
        if opened is None or opened.pid.state is DEAD or not holds_scopes(generator):
            if self._before.finalizer is not None:
                self._before.finalizer(generator)
        else:
            opened.kept = cast("AnyGenerator", generator)

    def _forget_the_dead(self) -> None:
        """Remove the records of generators that have died since the last `_first_step` and were not kept."""
        while self._dying:  # another thread may drop a generator meanwhile
            number, opened = self._dying.popitem()
            if opened.kept is None and opened.pid.generators is not None:
                opened.pid.generators.pop(number, None)


def holds_scopes(generator: AsyncGenerator[Any, Any]) -> bool:
    """Return whether a suspended generator may have entered a cancel scope that is still open."""
    scopes = open_scopes(generator)
    return scopes is None or bool(scopes)


def open_scopes(generator: AsyncGenerator[Any, Any]) -> set[trio.CancelScope] | None:
    """Find the open scopes that a suspended generator reaches; None if it reaches more than `LOOK` objects."""
    seen = {id(generator)}
    found: set[trio.CancelScope] = set()
    ahead: deque[object] = deque([generator])
    while ahead:
        for part in gc.get_referents(ahead.popleft()):
            if type(part) is trio.CancelScope:
                if part._cancel_status is not None:
                    found.add(part)
            elif id(part) not in seen and _may_hold(part):
                if len(seen) >= LOOK:
                    return None
                seen.add(id(part))
                ahead.append(part)
    return found


def _may_hold(part: object) -> bool:
    kind = type(part)  # not `isinstance`, which may run code of the object
    return gc.is_tracked(part) and not issubclass(kind, _NOT_FOLLOWED) and not kind.__module__.startswith("phxactor.")
