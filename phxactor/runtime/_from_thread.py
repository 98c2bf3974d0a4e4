"""Runs a function in the thread of a runtime, for another thread that waits for the result.

    thread of trio.to_thread, started by process P     P's own task runs the function, so it is P
    any other thread                                   a synchronous function: no process runs it
                                                       an asynchronous one: a process of its own runs it

The waiting thread is woken by trio's own `from_thread`, and trio by the thread, at once. A function that trio has taken
runs: none is lost, and those of one thread run in its order.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context, copy_context
from functools import partial
from threading import get_ident
from typing import Final, TypeVar, TypeVarTuple, Unpack

import trio
from outcome import Outcome, acapture  # a dependency of trio

from phxactor.runtime._errors import Exit, NotAProcessError
from phxactor.runtime._here import runtime_of_thread
from phxactor.runtime._pid import Pid, current
from phxactor.runtime._reasons import KILL
from phxactor.runtime._runtime import Runtime, current_process
from phxactor.runtime._state import ALIVE
from phxactor.runtime._trio_internals import private

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_parent: Final = private("_threads", "PARENT_TASK_DATA", package="trio").PARENT_TASK_DATA
"""What trio knows in a thread of `trio.to_thread`: the token of its run, and whether the task still waits for it."""


def run_sync(function: Callable[[Unpack[Ts]], T], *args: *Ts, runtime: Runtime | None = None) -> T:
    """Call `function(*args)` in the runtime's thread, and return its value or raise its exception.

    In a thread of `trio.to_thread` the function acts for the process that has started the thread: `self_pid()` is that
    process, `spawn_link` links to it. In any other thread it runs outside of processes.

    Raises:
        NotAProcessError: no runtime is open or several are, and none is given; or the runtime has ended.
        RuntimeError: this is the runtime's own thread, or the task of another trio run.

    """
    there = _checked(runtime)
    if _has_parent(there):
        return trio.from_thread.run_sync(function, *args)
    call: Callable[[], T] = partial(_call, there, _context(there), partial(function, *args))
    with _told_of_the_end():
        return trio.from_thread.run_sync(call, trio_token=there.token)


def run(function: Callable[[Unpack[Ts]], Awaitable[T]], *args: *Ts, runtime: Runtime | None = None) -> T:
    """Run `await function(*args)` in the runtime's thread, and return its value or raise its exception.

    In a thread of `trio.to_thread`, the process that has started the thread runs it, in the task that waits for the
    thread. If that process is killed or its task is cancelled, so is the function, and this raises `trio.Cancelled`. In
    any other thread, a process of its own runs it. If that is killed, for example since the program ends, this
    raises `Exit`.

    Raises as `run_sync`.
    """
    there = _checked(runtime)
    if _has_parent(there):
        value: T = trio.from_thread.run(function, *args)
        return value
    started: list[Pid] = []
    try:
        name = getattr(function, "__qualname__", None) or "from_thread.run"
        body: Callable[[], Awaitable[T]] = partial(
            _run, there, _context(there), partial(function, *args), name, started
        )
        with _told_of_the_end():
            return trio.from_thread.run(body, trio_token=there.token)
    except BaseException:
        for pid in started:
            if pid.alive:  # Ctrl-C has ended the wait
                with suppress(trio.RunFinishedError):
                    there.run_soon(partial(pid.exit, KILL))
        raise


def _checked(given: Runtime | None) -> Runtime:
    """Return the runtime of the call."""
    runtime = runtime_of_thread(given)
    if runtime.thread == get_ident():
        raise RuntimeError(
            "this is the runtime's own thread, which a waiting call would stop: call the function itself, such as "
            "phxactor.send; phxactor.from_thread is for other threads"
        )
    if trio.lowlevel.in_trio_task():
        raise RuntimeError(
            "this is a task of another trio run, which a waiting call would stop: make the call in a thread, such as "
            "await trio.to_thread.run_sync(from_thread.send, pid, message)"
        )
    if not runtime.thread:
        raise _ended()
    return runtime


def _has_parent(runtime: Runtime) -> bool:
    """Return whether a task of a process of this runtime waits for this thread."""
    pid = current.get(None)
    return (
        pid is not None
        and pid.runtime is runtime
        and getattr(_parent, "token", None) is runtime.token
        and not _parent.abandon_on_cancel
    )


def _context(runtime: Runtime) -> Context:
    """Return the context of the call: that of this thread, unless it belongs to a process of another runtime."""
    pid = current.get(None)
    return copy_context() if pid is None or pid.runtime is runtime else Context()


@contextmanager
def _told_of_the_end() -> Iterator[None]:
    try:
        yield
    except trio.RunFinishedError:
        raise _ended() from None


def _call(runtime: Runtime, context: Context, function: Callable[[], T]) -> T:
    if not runtime.thread:
        raise _ended()
    return context.run(function)


async def _run(
    runtime: Runtime, context: Context, function: Callable[[], Awaitable[T]], name: str, started: list[Pid]
) -> T:
    """Start a process for the function, and wait for its end: a system task of trio."""
    if not runtime.thread:
        raise _ended()
    results: list[Outcome[T]] = []
    context.run(current.set, runtime.outside)
    pid = context.run(partial(runtime.spawn, _body, context, function, results, initial_call=name))
    started.append(pid)
    try:
        reason = await runtime.ended(pid)
    except trio.Cancelled:  # the trio run ends, and with it the runtime
        raise _ended() from None
    if not results:
        raise Exit(reason)
    return results[0].unwrap()


async def _body(context: Context, function: Callable[[], Awaitable[T]], results: list[Outcome[T]]) -> None:
    """Run the function in the context of the thread, as this process, and keep what comes of it."""
    pid, task = current_process(), trio.lowlevel.current_task()
    context.run(current.set, pid)
    task.context = context
    await trio.lowlevel.checkpoint()
    result = await acapture(function)
    if pid.state is ALIVE:
        results.append(result)


def _ended() -> NotAProcessError:
    return NotAProcessError("the runtime has ended: nothing in it can be called from this thread any more")
