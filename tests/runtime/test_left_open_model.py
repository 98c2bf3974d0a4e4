"""Random programs of scopes, nurseries and generators in random processes: nobody else is touched, nothing is left."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, aclosing, asynccontextmanager, suppress
from math import inf
from typing import Any, TypeAlias

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from phxactor.runtime import KILL, SHUTDOWN, Exit, Exited, Pid, link, open_runtime, receive, spawn, trap_exit
from phxactor.testing import settle
from tests.runtime.actors import Actor

Step: TypeAlias = Callable[["World"], Awaitable[object]]


class World:
    """What a process has opened."""

    def __init__(self) -> None:
        self.opened: list[object] = []
        self.stack = AsyncExitStack()


async def numbers(seconds: float = inf, *, shield: bool = False) -> AsyncGenerator[int, None]:
    with trio.CancelScope(deadline=trio.current_time() + seconds, shield=shield):
        yield 1
        yield 2


async def numbers_beside_a_task() -> AsyncGenerator[int, None]:
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            yield 1
            yield 2
    finally:
        await trio.lowlevel.checkpoint()


async def plain_numbers() -> AsyncGenerator[int, None]:
    yield 1
    yield 2


@asynccontextmanager
async def upstream() -> AsyncGenerator[None, None]:
    async with trio.open_nursery() as nursery, aclosing(numbers_beside_a_task()) as beside:
        nursery.start_soon(trio.sleep_forever)
        await anext(beside)
        yield
        nursery.cancel_scope.cancel()


async def enter_scope(world: World) -> None:
    scope = trio.move_on_after(100)
    scope.__enter__()
    world.opened.append(scope)


async def enter_shield(world: World) -> None:
    trio.CancelScope(shield=True).__enter__()


async def enter_nursery(world: World) -> None:
    manager = trio.open_nursery()
    nursery = await manager.__aenter__()
    nursery.start_soon(trio.sleep_forever)
    world.opened.append(manager)


async def enter_failing_nursery(world: World) -> None:
    async def fails() -> None:
        raise ValueError("in a task")

    (await trio.open_nursery().__aenter__()).start_soon(fails)


async def leave_last(world: World) -> None:
    """Leave what was opened last, in its order or out of it."""
    if world.opened:
        match world.opened.pop():
            case trio.CancelScope() as scope:
                scope.__exit__(None, None, None)
            case manager:
                nursery: Any = manager
                nursery._nursery.cancel_scope.cancel()  # noqa: SLF001 - what `__aenter__` returned
                await nursery.__aexit__(None, None, None)


async def leave_first(world: World) -> None:
    if world.opened and isinstance(world.opened[0], trio.CancelScope):
        world.opened.pop(0).__exit__(None, None, None)  # type: ignore[attr-defined]


async def enter_sync_context(world: World) -> None:
    stack = ExitStack()
    stack.enter_context(trio.fail_after(100))
    kept.append(stack)


async def enter_async_context(world: World) -> None:
    await world.stack.enter_async_context(upstream())


async def close_contexts(world: World) -> None:
    await world.stack.aclose()


async def wait(world: World) -> None:
    await trio.lowlevel.checkpoint()


async def in_a_subtask(world: World) -> None:
    async def body() -> None:
        async for _ in numbers(100):
            break
        await enter_shield(World())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(body)


def breaks_out(make: Callable[[], AsyncGenerator[int, None]]) -> Step:
    async def step(world: World) -> None:
        async for _ in make():
            break

    return step


def keeps(make: Callable[[], AsyncGenerator[int, None]]) -> Step:
    async def step(world: World) -> None:
        generator = make()
        kept.append(generator)
        await anext(generator)

    return step


def closes(make: Callable[[], AsyncGenerator[int, None]]) -> Step:
    async def step(world: World) -> None:
        async with aclosing(make()) as generator:
            await anext(generator)

    return step


kept: list[object] = []
generators = [numbers, lambda: numbers(100), lambda: numbers(shield=True), numbers_beside_a_task]
steps = st.sampled_from(
    [
        enter_scope,
        enter_shield,
        enter_nursery,
        enter_failing_nursery,
        leave_last,
        leave_first,
        enter_sync_context,
        enter_async_context,
        close_contexts,
        wait,
        in_a_subtask,
        keeps(plain_numbers),
        *[way(make) for make in generators for way in (breaks_out, keeps, closes)],
    ]
)
ways_to_end = st.sampled_from(["return", "raise", "exit", "cancelled", KILL, SHUTDOWN, "trapped", "link"])
programs = st.lists(st.tuples(st.lists(steps, max_size=8), ways_to_end), min_size=1, max_size=5)


async def body(program: list[Step], way: str) -> None:
    if way == "trapped":
        trap_exit()
    world = World()
    for step in program:
        await step(world)
        with suppress(TimeoutError):
            if isinstance(await receive(timeout=0), Exited):
                return
    match way:
        case "return":
            return
        case "raise":
            raise ValueError("told to")
        case "exit":
            raise Exit("because")
        case "cancelled":
            with trio.CancelScope() as scope:
                scope.cancel()
                await trio.sleep_forever()
        case _:
            await receive()


async def play(program: list[tuple[list[Step], str]]) -> None:
    async with open_runtime() as runtime:
        bystanders = [Actor(), Actor(trap=True)]
        await settle()
        before = trio.lowlevel.current_statistics().tasks_living
        pids: list[Pid] = []
        for steps_of_one, way in program:
            pid = spawn(body, steps_of_one, way)
            pids.append(pid)
            if way == "link":
                spawn(end_with, pid)
        await settle()
        for pid, (_, way) in zip(pids, program, strict=True):
            pid.exit(way if way == KILL else SHUTDOWN)
        for pid in pids:
            await runtime.ended(pid)
        kept.clear()
        await settle()
        assert [await bystander.do(lambda: "lives") for bystander in bystanders] == ["lives", "lives"]
        assert runtime.statistics().zombies == 0
        assert trio.lowlevel.current_statistics().tasks_living == before
    assert trio.lowlevel.current_statistics().seconds_to_next_deadline > 99


async def end_with(other: Pid) -> None:
    with suppress(Exit):
        link(other)
        await trio.lowlevel.checkpoint()
        raise Exit("a link")


# A generator that its program drops is told of by Python, and so is a context that is left after its scope has gone:
# these programs do both on purpose, and what is told of them is no leak of the process's.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@settings(max_examples=150)
@given(programs)
def test_TM1_nobody_else_is_touched_and_nothing_is_left(program: list[tuple[list[Step], str]]) -> None:
    trio.run(play, program, clock=MockClock(autojump_threshold=0))
