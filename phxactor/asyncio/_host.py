"""A running asyncio loop, which runs the calls of processes, and the table that finds it.

A call is a task of the loop. Its caller, a task of trio in the same thread, sleeps until that task is done:

    trio task                          asyncio loop, of the same thread
    ─────────                          ────────────
    run ── create_task ──────────────▶ function(*args), in a copy of the caller's context
      sleeps ◀── reschedule ────────── done, with a value or an exception
    cancelled ── task.cancel() ──────▶ CancelledError in the function
      sleeps on ◀── reschedule ─────── done; only now the caller is cancelled
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from inspect import isawaitable
from typing import Final, TypeVar, cast

import attrs
import trio
from trio.lowlevel import Abort, RaiseCancelT, reschedule, wait_task_rescheduled

from phxactor.asyncio._errors import AsyncioCancelledError, NoAsyncioLoopError
from phxactor.runtime import Runtime, current, current_runtime, explain

T = TypeVar("T")

NO_LOOP: Final = (
    "no asyncio loop is open for this runtime: start one as a supervised child (open_asyncio_loop), see "
    "docs/libraries.md; if you have one, it is just being started again"
)
TAKEN: Final = "the runtime has an asyncio loop already: one serves all its processes"
LOST: Final = "the asyncio loop has ended during the call"

_hosts: Final[dict[Runtime, AsyncioHost]] = {}
"""The loop of each runtime."""
_awaited: Final[dict[Runtime, trio.Event]] = {}
"""Set when a runtime gets a loop, for the tasks that wait for it."""


@attrs.frozen
class _Result:
    """The result of a function that asyncio ran: a value, or the exception that it raised."""

    value: object = None
    error: BaseException | None = None


@attrs.define(eq=False)
class _Call:
    """A call that waits for the loop."""

    caller: trio.lowlevel.Task
    task: asyncio.Task[_Result]
    raise_cancel: RaiseCancelT | None = None
    """Raises trio's Cancelled in the caller, once the caller has been cancelled."""


class AsyncioHost:
    """A loop that runs in the thread of a runtime, and the calls that wait for it."""

    def __init__(self, runtime: Runtime, loop: asyncio.AbstractEventLoop, *, guest: bool) -> None:
        """Take a running loop; `guest` means that the trio run is the guest of the loop."""
        self.runtime = runtime
        self.loop = loop
        self.guest = guest
        self._calls: set[_Call] = set()

    @contextmanager
    def taking_calls(self) -> Iterator[None]:
        """Take the calls of all processes of the runtime, until the block ends or `refuse_calls`."""
        if self.runtime in _hosts:
            raise RuntimeError(TAKEN)
        _hosts[self.runtime] = self
        if self.runtime in _awaited:
            _awaited.pop(self.runtime).set()
        try:
            yield
        finally:
            self.refuse_calls()
            self.give_up()

    def refuse_calls(self) -> None:
        """Take no more calls; those under way go on."""
        if _hosts.get(self.runtime) is self:
            del _hosts[self.runtime]

    async def run(self, function: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        """Run `await function(*args, **kwargs)` in the loop; see `asyncio_call`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        context = copy_context()
        context.run(current.set, self.runtime.outside)
        work = _work(function, args, kwargs)
        try:
            task = self.loop.create_task(work, context=context)
        except RuntimeError:  # the loop is closed
            work.close()
            raise NoAsyncioLoopError(NO_LOOP) from None
        call = _Call(trio.lowlevel.current_task(), task)
        self._calls.add(call)
        task.add_done_callback(lambda _: self._wake(call), context=context)

        def abort(raise_cancel: RaiseCancelT) -> Abort:
            if not self.loop.is_running():
                self._calls.discard(call)
                return Abort.SUCCEEDED
            call.raise_cancel = raise_cancel
            task.cancel()
            return Abort.FAILED  # the caller is cancelled when the task has ended

        await wait_task_rescheduled(abort)
        if not task.done():
            raise AsyncioCancelledError(LOST)
        return _result(call, lost=_hosts.get(self.runtime) is not self)

    def give_up(self) -> None:
        """Wake all callers that still wait, with AsyncioCancelledError: the loop runs no more of their tasks."""
        for call in list(self._calls):
            self._wake(call)

    def _wake(self, call: _Call) -> None:
        if call in self._calls:
            self._calls.remove(call)
            reschedule(call.caller)


async def _work(function: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]) -> _Result:
    try:
        value = function(*args, **kwargs)
        if isawaitable(value):
            value = await value
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - it is raised in the caller; SystemExit would end the loop
        return _Result(error=error)
    return _Result(value)


def _result(call: _Call, *, lost: bool) -> object:
    """Return the value of a call whose task has ended; raise its exception, or the caller's cancellation.

    `lost` means that the loop is ending.
    """
    try:
        result = call.task.result()
    except asyncio.CancelledError as cancelled:
        if call.raise_cancel is not None:
            call.raise_cancel()
        raise AsyncioCancelledError(LOST if lost else "the call was cancelled within asyncio") from cancelled
    if result.error is not None:
        explain(result.error, in_asyncio=True)
        try:
            raise result.error
        finally:
            del result, call  # the traceback keeps this frame
    return result.value


def host_of(runtime: Runtime) -> AsyncioHost | None:
    """Return what runs a runtime's calls; None without a loop."""
    return _hosts.get(runtime)


async def another_host(runtime: Runtime) -> None:
    """Wait until a runtime has a loop."""
    if runtime not in _hosts:
        await _awaited.setdefault(runtime, trio.Event()).wait()


@contextmanager
def use_asyncio_loop(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Have `asyncio_call` use the loop whose guest this trio run is, during the block.

    All processes of the current runtime may use it. When the block ends, calls that still wait raise
    AsyncioCancelledError.

    Raises RuntimeError if the runtime has a loop already, and NotAProcessError if no runtime is open here.
    """
    with AsyncioHost(current_runtime(), loop, guest=True).taking_calls():
        yield


async def run(function: Callable[..., Awaitable[T] | T], args: tuple[object, ...], kwargs: dict[str, object]) -> T:
    """Run a function in the loop of the current runtime."""
    host = _hosts.get(current_runtime())
    if host is None:
        raise NoAsyncioLoopError(NO_LOOP)
    return cast("T", await host.run(function, args, kwargs))
