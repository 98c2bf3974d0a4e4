"""`asyncio_context`: an asynchronous context manager of asyncio, as one of trio's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, ParamSpec, TypeVar

import trio

from phxactor.asyncio._call import asyncio_call
from phxactor.asyncio._errors import AsyncioCancelledError
from phxactor.asyncio._host import another_host, host_of
from phxactor.runtime import current_runtime

P = ParamSpec("P")
T = TypeVar("T")

SECONDS_TO_LEAVE: Final = 2.0
"""Seconds that a context has to be left in order; then it is cancelled. Pools close at once then."""
SECONDS_AFTER_CRASH: Final = 0.5
"""The same if the block has raised or was cancelled: its supervisor waits, and then opens a new one."""
SECONDS_FOR_SUPERVISOR: Final = 10.0
"""Seconds that a supervisor has to stop the block when the loop has ended; then the block is cancelled."""


@asynccontextmanager
async def asyncio_context(
    function: Callable[P, AbstractAsyncContextManager[T]], *args: P.args, **kwargs: P.kwargs
) -> AsyncIterator[T]:
    """Hold a context manager of an asyncio library, such as a pool or a client; its value is for `asyncio_call`.

        POOL = Resource("pool", asyncio_context, asyncpg.create_pool, DSN, min_size=1)

    One task of the asyncio loop enters `function(*args, **kwargs)`, and leaves it when the block ends, in whatever way.
    It has 2 seconds to leave, half a second if the block has raised or was cancelled; then the task is cancelled.

    Raises what entering and leaving raise, and NoAsyncioLoopError without a loop. When the loop ends, the supervisor of
    both restarts both. If it has not stopped the block when another loop is open, or after 10 seconds, the block is
    cancelled, and AsyncioCancelledError is raised.
    """
    leave, waiting = asyncio.Event(), trio.CancelScope()
    runtime = current_runtime()
    host = host_of(runtime)

    async def hold() -> None:
        try:
            await asyncio_call(_hold, lambda: function(*args, **kwargs), opened.send_nowait, leave)
        except AsyncioCancelledError:
            if host_of(runtime) is not host:
                with waiting, trio.move_on_after(SECONDS_FOR_SUPERVISOR):
                    await another_host(runtime)
                if waiting.cancelled_caught:
                    return
            raise

    try:
        async with trio.open_nursery() as nursery:
            opened, value_of = trio.open_memory_channel[T](1)
            nursery.start_soon(hold)
            yield await value_of.receive()
            leave.set()
            waiting.cancel()
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from None


async def _hold(
    open_it: Callable[[], AbstractAsyncContextManager[T]], opened: Callable[[T], None], leave: asyncio.Event
) -> None:
    """Enter a context, and leave it when `leave` is set, or when the task is cancelled."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None  # noqa: S101 - it runs in one
    timer: asyncio.TimerHandle | None = None
    try:
        async with open_it() as value:
            opened(value)
            try:
                await leave.wait()
            finally:
                seconds = SECONDS_TO_LEAVE if leave.is_set() else SECONDS_AFTER_CRASH
                timer = loop.call_later(seconds, task.cancel)
    except asyncio.CancelledError:
        if not leave.is_set():
            raise
    finally:
        if timer is not None:
            timer.cancel()
