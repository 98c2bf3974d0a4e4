"""`asyncio_context`: a context manager of asyncio, held by a process as one of trio's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor import (
    Crash,
    Down,
    Exit,
    Resource,
    Supervisor,
    monitor,
    open_runtime,
    receive,
    spawn_monitor,
    whereis,
)
from phxactor.asyncio import (
    AsyncioCancelledError,
    NoAsyncioLoopError,
    asyncio_call,
    asyncio_context,
    open_asyncio_loop,
)
from phxactor.runtime import Monitor, Pid

told: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_told() -> None:
    told.clear()


@asynccontextmanager
async def pool(leaves_in: float = 0, fails: str = "") -> AsyncIterator[str]:
    """A context manager that must be entered and left by the same task of asyncio."""
    task = asyncio.current_task()
    await asyncio.sleep(0)
    if fails == "entering":
        raise ValueError("entering")
    try:
        yield "value"
    finally:
        assert asyncio.current_task() is task
        try:
            await asyncio.sleep(leaves_in)
            told.append("left")
            if fails == "leaving":
                raise ValueError("leaving")
        except asyncio.CancelledError:
            told.append("cut")
            raise


async def end_by(watch: Monitor) -> Down:
    down = await receive(lambda message: getattr(message, "ref", None) is watch)
    assert isinstance(down, Down)
    return down


async def test_a_context_is_entered_and_left(autojump_clock: MockClock) -> None:
    async with open_runtime(), open_asyncio_loop():
        async with asyncio_context(pool, leaves_in=1) as value:
            assert value == "value"
            assert told == []
        assert told == ["left"]


async def test_what_entering_raises_is_raised(autojump_clock: MockClock) -> None:
    async with open_runtime(), open_asyncio_loop():
        with pytest.raises(ValueError, match="entering"):
            async with asyncio_context(pool, fails="entering"):
                raise AssertionError


async def test_what_leaving_raises_is_raised(autojump_clock: MockClock) -> None:
    async with open_runtime(), open_asyncio_loop():
        with pytest.raises(ValueError, match="leaving"):
            async with asyncio_context(pool, fails="leaving"):
                pass


async def test_what_the_block_raises_is_raised_and_the_context_is_left(autojump_clock: MockClock) -> None:
    async with open_runtime(), open_asyncio_loop():
        with pytest.raises(KeyError):
            async with asyncio_context(pool):
                raise KeyError
        assert told == ["left"]


@pytest.mark.parametrize(("crash", "seconds"), [(False, 2), (True, 0.5)])
async def test_a_context_that_takes_long_to_leave_is_cut(
    autojump_clock: MockClock, crash: bool, seconds: float
) -> None:
    async with open_runtime(), open_asyncio_loop():
        began = trio.current_time()
        with pytest.raises(KeyError) if crash else nullcontext():
            async with asyncio_context(pool, leaves_in=60):
                if crash:
                    raise KeyError
        assert told == ["cut"]
        assert trio.current_time() - began == pytest.approx(seconds, abs=0.3)
        assert await asyncio_call(asyncio.sleep, 0, "alive") == "alive"


async def test_without_a_loop_it_is_not_entered(autojump_clock: MockClock) -> None:
    async with open_runtime():
        with pytest.raises(NoAsyncioLoopError):
            async with asyncio_context(pool):
                raise AssertionError


@pytest.mark.parametrize("how", ["shutdown", "kill"])
async def test_a_process_that_ends_leaves_its_context(autojump_clock: MockClock, how: str) -> None:
    async def body() -> None:
        async with asyncio_context(pool):
            await trio.sleep_forever()

    async with open_runtime(), open_asyncio_loop():
        pid, watch = spawn_monitor(body)
        await wait_all_tasks_blocked()
        pid.exit(how)
        await end_by(watch)
        assert told == ["left"]


LOOP = Resource("loop", open_asyncio_loop)
POOL = Resource("pool", asyncio_context, pool)


@pytest.mark.parametrize("how", ["boom", "shutdown", "kill"])
async def test_its_supervisor_restarts_it_with_the_loop_as_one_restart(autojump_clock: MockClock, how: str) -> None:
    """`max_restarts=1` would not allow a second one."""
    async with open_runtime():
        (await Supervisor.start_link([LOOP, POOL], strategy="rest_for_one", max_restarts=1)).unwrap()
        loop, held = whereis("loop"), whereis("pool")
        assert isinstance(loop, Pid)
        assert isinstance(held, Pid)
        watch = monitor(held)
        loop.exit(how)
        assert (await end_by(watch)).reason == "shutdown"
        await wait_all_tasks_blocked()
        assert POOL.value == "value"
        assert whereis("pool") is not held


@pytest.mark.parametrize("again", [True, False])
async def test_a_context_that_nobody_restarts_with_the_loop_crashes(autojump_clock: MockClock, again: bool) -> None:
    """At once when there is another loop, which it does not belong to; else after ten seconds."""

    async def body() -> None:
        async with asyncio_context(pool):
            await trio.sleep_forever()

    async def hold_a_loop() -> None:
        async with open_asyncio_loop():
            await trio.sleep_forever()

    async with open_runtime():
        loop, _ = spawn_monitor(hold_a_loop)
        await wait_all_tasks_blocked()
        _, watch = spawn_monitor(body)
        await wait_all_tasks_blocked()
        began = trio.current_time()
        loop.exit("shutdown")
        if again:
            await wait_all_tasks_blocked()
            spawn_monitor(hold_a_loop)
        reason = (await end_by(watch)).reason
        assert isinstance(reason, Crash)
        assert isinstance(reason.exception, AsyncioCancelledError)
        assert trio.current_time() - began == pytest.approx(0 if again else 10, abs=0.3)


async def test_a_pool_that_does_not_open_does_not_start(autojump_clock: MockClock) -> None:
    closed = Resource("closed", asyncio_context, pool, fails="entering")
    with pytest.raises(Exit) as caught:  # noqa: PT012 - the block is what it is about
        async with open_runtime():
            await Supervisor.start_link([LOOP, closed], strategy="rest_for_one")
            await trio.sleep(1)
    assert "entering" in str(caught.value)
