"""The loop of a program that runs on trio alone: trio-asyncio's, held open by a supervised process."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from phxactor._checks import seconds
from phxactor.asyncio._host import TAKEN, AsyncioHost, host_of
from phxactor.runtime import cleanup, self_pid

GRACE: Final = 2.0
"""Seconds that calls under way have, by default, to end in order when their loop ends."""


@asynccontextmanager
async def open_asyncio_loop(*, grace: float = GRACE) -> AsyncIterator[asyncio.AbstractEventLoop]:
    """Open a loop of asyncio for `asyncio_call`, for all processes of the runtime, until the block is left.

    It is trio-asyncio's (the extra `phxactor[asyncio]`), and runs in trio's thread. In a program that is the guest of
    an asyncio loop, it is that loop, and nothing is opened.

    When the block is left, calls under way are cancelled, and have `grace` seconds to end. Then, or at once if the
    process was killed, all connections of the loop are aborted, so that no task waits for an answer that cannot come
    any more. An exception that nobody awaits is logged, as in any asyncio program.

    Raises ImportError without trio-asyncio, RuntimeError if such a loop is open already, NotAProcessError outside of
    processes.
    """
    seconds("grace", grace)
    runtime = self_pid().runtime
    host = host_of(runtime)
    if host is not None and host.guest:
        yield host.loop
        return
    if host is not None:
        raise RuntimeError(TAKEN)
    failure: Exception | None = None
    async with _trio_asyncio_loop() as loop:
        loop.set_exception_handler(asyncio.BaseEventLoop.default_exception_handler)
        host = AsyncioHost(runtime, loop, guest=False)
        with host.taking_calls():
            try:
                yield loop
            except Exception as error:  # noqa: BLE001 - raised again below, where no nursery wraps it in a group
                failure = error
            finally:
                host.refuse_calls()
                try:
                    with cleanup(grace):
                        await _end_tasks(host)
                finally:
                    _abort_connections(loop)
    if failure is not None:
        try:
            raise failure
        finally:
            del failure  # the traceback keeps this frame


async def _end_tasks(host: AsyncioHost) -> None:
    """Cancel all tasks of the loop, and wait for their ends while its connections still work."""
    tasks = asyncio.all_tasks(host.loop)
    if tasks and host.loop.is_running():
        for task in tasks:
            task.cancel()
        await host.run(asyncio.wait, (tasks,), {})


def _abort_connections(loop: Any) -> None:  # noqa: ANN401 - the transports of a loop are a private table
    """End all connections of the loop: a task that holds off its cancellation until the peer answers can end then."""
    for transport in list(loop._transports.values()):  # noqa: SLF001 - asyncio has no public list of them
        transport.abort()


def _trio_asyncio_loop() -> AbstractAsyncContextManager[Any]:
    """Import trio-asyncio, and make its loop.

    The import changes asyncio for the whole program: outside of trio, loops would be trio-asyncio's too. It is given
    back the policy from before as its default in all threads, so that other threads are as they were.
    """
    try:
        # From Python 3.12 on, the import warns; as an error, the warning would leave asyncio changed by half.
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            from trio_asyncio import _loop, open_loop  # noqa: PLC0415 - the import changes asyncio, see above
    except ImportError as error:
        raise ImportError("an asyncio loop needs trio-asyncio: pip install 'phxactor[asyncio]'") from error
    _loop._FakedPolicy.policy = _loop._original_policy  # noqa: SLF001
    manager: AbstractAsyncContextManager[Any] = open_loop()
    return manager
