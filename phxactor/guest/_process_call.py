"""`process_call`: runs a function of processes for a task of asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import Generic, ParamSpec, TypeVar

from phxactor.guest._errors import ProcessExitError
from phxactor.runtime import KILL, SHUTDOWN, Exit, NotAProcessError, Pid, Runtime, current, current_runtime, own

P = ParamSpec("P")
T = TypeVar("T")


async def process_call(function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `await function(*args, **kwargs)` in a process of its own, and return its value to this task of asyncio.

        price = await process_call(Stock.price, "chair")

    The function may do all that a process may: `call`, `receive`, start children. It sees the context variables of the
    task. Its exceptions are raised here. If the task is cancelled, the process is shut down, and the task goes on when
    the process has ended; a second cancellation kills the process.

    Raises:
        ProcessExitError: the function raised `Exit`, as a call to a process that is gone does, or its process was
            ended by an exit signal.
        NotAProcessError: no runtime is open in this thread.
        RuntimeError: the caller is no task of asyncio.

    """
    if not _in_asyncio():
        raise RuntimeError("process_call is for tasks of asyncio; a process awaits the function itself")
    try:
        runtime = current_runtime()
    except NotAProcessError as error:
        raise NotAProcessError(f"process_call needs a guest, by phxactor.uvicorn.run or open_guest: {error}") from None
    work: _Work[T] = _Work(partial(function, *args, **kwargs))
    return await work.done_by(runtime, getattr(function, "__qualname__", None))


class _Work(Generic[T]):
    """A function that a process runs for a task of asyncio."""

    def __init__(self, function: Callable[[], Awaitable[T]]) -> None:
        loop = asyncio.get_running_loop()
        self._function = function
        self._context = copy_context()
        self._answer: asyncio.Future[T] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()

    async def done_by(self, runtime: Runtime, name: str | None) -> T:
        """Start the process, and wait for the answer."""
        pid = runtime.spawn(self._run, initial_call=name)
        own(pid, self._finished)
        try:
            return await self._answer
        except asyncio.CancelledError:
            pid.exit(SHUTDOWN)
            try:
                await asyncio.wait([self._ended])
            except asyncio.CancelledError:
                pid.exit(KILL)
            raise

    async def _run(self) -> None:
        for variable, value in self._context.items():
            if variable is not current:  # this process stays itself
                variable.set(value)
        try:
            value = await self._function()
        except Exception as error:  # noqa: BLE001 - the caller raises it
            self._fail(error)
        except Exit as end:
            gone = ProcessExitError(end.reason)
            gone.__cause__ = end
            self._fail(gone)
        else:
            if not self._answer.done():
                self._answer.set_result(value)

    def _finished(self, pid: Pid) -> None:
        """Answer for a process that has ended without an answer."""
        if not self._answer.done():
            self._fail(ProcessExitError(pid.exit_reason))
        self._ended.set_result(None)

    def _fail(self, error: BaseException) -> None:
        if not self._answer.done():
            self._answer.set_exception(error)


def _in_asyncio() -> bool:
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False
