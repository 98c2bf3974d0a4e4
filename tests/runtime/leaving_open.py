"""Ways to leave something open: each is called by a process, which then ends in some way.

A leftover notes in `closed` what its cleanup has done, and keeps in `kept` what must outlive the process.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, aclosing, asynccontextmanager, contextmanager
from typing import TypeAlias

import trio

from phxactor.runtime import self_pid

Leftover: TypeAlias = Callable[[list[str], list[object]], Awaitable[None]]


async def scope(closed: list[str], kept: list[object]) -> None:
    trio.CancelScope().__enter__()
    closed.append("nothing to close")


async def kept_deadline(closed: list[str], kept: list[object]) -> None:
    left = trio.move_on_after(50)
    left.__enter__()
    kept.append(left)
    closed.append("nothing to close")


async def shield(closed: list[str], kept: list[object]) -> None:
    trio.CancelScope(shield=True).__enter__()
    closed.append("nothing to close")


async def three_scopes(closed: list[str], kept: list[object]) -> None:
    for seconds in (30, 20, 10):
        trio.move_on_after(seconds).__enter__()
    closed.append("nothing to close")


async def task(closed: list[str], name: str = "task") -> None:
    try:
        await trio.sleep_forever()
    finally:
        closed.append(name)


async def nursery(closed: list[str], kept: list[object]) -> None:
    manager = trio.open_nursery()
    kept.append(manager)
    (await manager.__aenter__()).start_soon(task, closed)
    await trio.lowlevel.checkpoint()


async def empty_nursery(closed: list[str], kept: list[object]) -> None:
    await trio.open_nursery().__aenter__()
    closed.append("nothing to close")


async def shielded_nursery(closed: list[str], kept: list[object]) -> None:
    opened = await trio.open_nursery().__aenter__()
    opened.cancel_scope.shield = True
    opened.start_soon(task, closed)
    await trio.lowlevel.checkpoint()


async def nurseries_and_scopes(closed: list[str], kept: list[object]) -> None:
    for name in ("outer", "inner"):
        trio.CancelScope().__enter__()
        (await trio.open_nursery().__aenter__()).start_soon(task, closed, name)
        trio.CancelScope(shield=True).__enter__()
    await trio.lowlevel.checkpoint()


@asynccontextmanager
async def upstream(closed: list[str], name: str = "upstream") -> AsyncIterator[trio.Nursery]:
    try:
        async with trio.open_nursery() as opened:
            opened.start_soon(task, closed, f"{name}'s task")
            yield opened
            opened.cancel_scope.cancel()
    finally:
        closed.append(name)


async def exit_stack(closed: list[str], kept: list[object]) -> None:
    stack = AsyncExitStack()
    await stack.enter_async_context(upstream(closed, "first"))
    await stack.enter_async_context(upstream(closed, "second"))
    await trio.lowlevel.checkpoint()


async def kept_exit_stack(closed: list[str], kept: list[object]) -> None:
    stack = AsyncExitStack()
    kept.append(stack)
    await stack.enter_async_context(upstream(closed))
    await trio.lowlevel.checkpoint()


@contextmanager
def patience(closed: list[str]) -> Iterator[None]:
    with trio.move_on_after(60):
        yield
    closed.append("patience")


async def sync_exit_stack(closed: list[str], kept: list[object]) -> None:
    stack = ExitStack()
    kept.append(stack)
    stack.enter_context(trio.fail_after(40))
    stack.enter_context(patience(closed))
    closed.append("nothing to close")


async def ticks(closed: list[str]) -> AsyncIterator[int]:
    try:
        while True:
            with trio.move_on_after(10):
                yield 1
    finally:
        closed.append("ticks")


async def generator(closed: list[str], kept: list[object]) -> None:
    async for _ in ticks(closed):
        break


async def kept_generator(closed: list[str], kept: list[object]) -> None:
    generator = ticks(closed)
    kept.append(generator)
    await anext(generator)


async def plain(closed: list[str]) -> AsyncIterator[int]:
    try:
        yield 1
    finally:
        closed.append("plain")


async def kept_plain_generator(closed: list[str], kept: list[object]) -> None:
    generator = plain(closed)
    kept.append(generator)
    await anext(generator)


async def waits_at_its_end(closed: list[str]) -> AsyncIterator[int]:
    try:
        with trio.CancelScope(shield=True):
            yield 1
    finally:
        try:
            await trio.sleep_forever()
        finally:
            closed.append("cut short")


async def generator_that_waits(closed: list[str], kept: list[object]) -> None:
    async for _ in waits_at_its_end(closed):
        break


async def with_nursery(closed: list[str]) -> AsyncGenerator[int, None]:
    async with upstream(closed), trio.open_nursery() as opened:
        opened.start_soon(task, closed)
        yield 1
        yield 2


async def generator_with_nursery(closed: list[str], kept: list[object]) -> None:
    async for _ in with_nursery(closed):
        break
    await trio.lowlevel.checkpoint()


async def kept_generator_with_nursery(closed: list[str], kept: list[object]) -> None:
    generator = with_nursery(closed)
    kept.append(generator)
    await anext(generator)
    await trio.lowlevel.checkpoint()


async def nested(closed: list[str]) -> AsyncIterator[int]:
    with trio.CancelScope():
        async with aclosing(with_nursery(closed)) as numbers:
            async for number in numbers:
                with trio.CancelScope():
                    yield number


async def nested_generators(closed: list[str], kept: list[object]) -> None:
    async for _ in nested(closed):
        break
    await trio.lowlevel.checkpoint()


async def generator_between_scopes(closed: list[str], kept: list[object]) -> None:
    trio.CancelScope().__enter__()
    generator = ticks(closed)
    kept.append(generator)
    await anext(generator)
    trio.CancelScope(shield=True).__enter__()
    await nursery(closed, kept)


async def generator_of_a_subtask(closed: list[str], kept: list[object]) -> None:
    async with trio.open_nursery() as opened:
        opened.start_soon(generator, closed, kept)


async def kept_generator_of_a_subtask(closed: list[str], kept: list[object]) -> None:
    async with trio.open_nursery() as opened:
        opened.start_soon(kept_generator, closed, kept)


async def generator_in_a_scope_that_was_left(closed: list[str], kept: list[object]) -> None:
    outer = trio.CancelScope()
    outer.__enter__()
    await kept_generator(closed, kept)
    try:
        outer.__exit__(None, None, None)
    except RuntimeError:
        closed.append("misnested")


async def scope_that_a_subtask_left(closed: list[str], kept: list[object]) -> None:
    left = trio.CancelScope()
    left.__enter__()
    try:
        async with trio.open_nursery() as opened:
            opened.start_soon(leave, left)
    except* (RuntimeError, AssertionError):
        closed.append("misnested")


async def leave(scope: trio.CancelScope) -> None:
    scope.__exit__(None, None, None)


async def scope_of_its_process(closed: list[str], kept: list[object]) -> None:
    own = self_pid().scope
    assert own is not None
    own.__exit__(None, None, None)
    closed.append("nothing to close")


LEFTOVERS: list[Leftover] = [
    scope,
    kept_deadline,
    shield,
    three_scopes,
    nursery,
    empty_nursery,
    shielded_nursery,
    nurseries_and_scopes,
    exit_stack,
    kept_exit_stack,
    sync_exit_stack,
    generator,
    kept_generator,
    kept_plain_generator,
    generator_that_waits,
    generator_with_nursery,
    kept_generator_with_nursery,
    nested_generators,
    generator_between_scopes,
    generator_of_a_subtask,
    kept_generator_of_a_subtask,
    generator_in_a_scope_that_was_left,
]
