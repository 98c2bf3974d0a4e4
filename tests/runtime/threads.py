"""Other threads: each way in which code may run beside the thread of a runtime."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from inspect import isawaitable
from typing import Final

import trio

from phxactor.runtime import open_runtime

Operation = Callable[[], object]
"""What is tried; one that answers with an awaitable is tried by its first step."""


def step(operation: Operation) -> BaseException | None:
    """Do it in this thread, and return what it raises."""
    try:
        result = operation()
        if isawaitable(result):
            result.__await__().__next__()
    except StopIteration:  # it did not have to wait
        return None
    except BaseException as error:  # noqa: BLE001 - it is what the test asks for
        return error
    return None


async def in_a_thread_of_the_process(operation: Operation) -> BaseException | None:
    """It has the context of the process that waits for it."""
    return await trio.to_thread.run_sync(step, operation)


async def in_a_foreign_thread(operation: Operation) -> BaseException | None:
    """It has no context of anybody's."""
    return await _in_thread(lambda: step(operation))


async def in_a_thread_with_a_copy_of_the_context(operation: Operation) -> BaseException | None:
    """It is as asyncio.to_thread does it."""
    context = copy_context()
    return await _in_thread(lambda: context.run(step, operation))


async def in_asyncio(operation: Operation) -> BaseException | None:
    """It is a task of asyncio's, in a thread of its own."""

    async def run() -> BaseException | None:
        return step(operation)

    return await trio.to_thread.run_sync(asyncio.run, run())


async def in_another_run(operation: Operation) -> BaseException | None:
    """It is a task of another run of trio, in a thread that has the context of the process."""
    return await trio.to_thread.run_sync(trio.run, _awaited, operation)


async def beside_another_runtime(operation: Operation) -> BaseException | None:
    """It is as `in_another_run`, where there is a runtime, but not in one of its processes."""

    async def run() -> BaseException | None:
        async with trio.open_nursery() as nursery:
            opened, over = trio.Event(), trio.Event()

            async def open_one() -> None:
                async with open_runtime():
                    opened.set()
                    await over.wait()

            nursery.start_soon(open_one)
            await opened.wait()
            error = await _awaited(operation)
            over.set()
        return error

    return await trio.to_thread.run_sync(trio.run, run)


async def in_another_runtime(operation: Operation) -> BaseException | None:
    """It is a process of another runtime, in another run of trio."""
    return await _in_thread(lambda: trio.run(_opened, operation))


async def in_another_runtime_of_the_context(operation: Operation) -> BaseException | None:
    """It is the same, in a thread that has the context of the process."""
    return await trio.to_thread.run_sync(trio.run, _opened, operation)


Place = Callable[[Operation], Awaitable[BaseException | None]]

WITHOUT_PROCESS: Final[list[Place]] = [
    in_a_thread_of_the_process,
    in_a_foreign_thread,
    in_a_thread_with_a_copy_of_the_context,
    in_asyncio,
    in_another_run,
    beside_another_runtime,
]
WITH_PROCESS: Final[list[Place]] = [in_another_runtime, in_another_runtime_of_the_context]
"""Where it is a process that tries: it has names, timers and children of its own."""
PLACES: Final = [*WITHOUT_PROCESS, *WITH_PROCESS]


async def _opened(operation: Operation) -> BaseException | None:
    async with open_runtime():
        return await _awaited(operation)


async def _awaited(operation: Operation) -> BaseException | None:
    try:
        result = operation()
        if isawaitable(result):
            await result
    except BaseException as error:  # noqa: BLE001 - it is what the test asks for
        return error
    return None


async def _in_thread(function: Callable[[], BaseException | None]) -> BaseException | None:
    """Run it in a thread that is not trio's."""
    results: list[BaseException | None] = []
    token, done = trio.lowlevel.current_trio_token(), trio.Event()

    def run() -> None:
        try:
            results.append(function())
        finally:
            token.run_sync_soon(done.set)

    thread = threading.Thread(target=run)
    thread.start()
    await done.wait()
    thread.join()
    return results[0]
