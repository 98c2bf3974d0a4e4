"""`asyncio_call` over trio-asyncio's loop: values, exceptions, context, cancellation, and the end of the loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextvars import ContextVar
from functools import partial

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor import Exit, open_runtime, receive, spawn, spawn_monitor
from phxactor.asyncio import (
    AsyncioCancelledError,
    asyncio_call,
    open_asyncio_loop,
)
from phxactor.otp import Task
from phxactor.runtime import self_pid
from tests.asyncio.loops import add

request_id: ContextVar[str] = ContextVar("request_id", default="none")


@pytest.fixture
async def loop() -> AsyncIterator[asyncio.AbstractEventLoop]:
    """A runtime with a loop."""
    async with open_runtime(), open_asyncio_loop() as loop:
        yield loop


async def test_a_value_comes_back(autojump_clock: MockClock, loop: asyncio.AbstractEventLoop) -> None:
    assert await asyncio_call(add, 1, 2) == 3
    assert await asyncio_call(add, 1, other=2, slowly=1) == 3
    assert await asyncio_call(asyncio.get_running_loop) is loop


async def test_any_process_may_call(autojump_clock: MockClock, loop: asyncio.AbstractEventLoop) -> None:
    assert await Task.async_(asyncio_call, add, 1, 2) == 3


async def test_calls_are_under_way_at_the_same_time(autojump_clock: MockClock, loop: asyncio.AbstractEventLoop) -> None:
    began = trio.current_time()
    tasks = [Task.async_(partial(asyncio_call, add, n, n, slowly=2)) for n in range(50)]
    assert await Task.await_many(tasks) == [2 * n for n in range(50)]
    assert trio.current_time() - began == pytest.approx(2, abs=0.5)


class OddError(BaseException):
    """Not an `Exception`."""


@pytest.mark.parametrize(
    "error", [ValueError("bad"), OddError(), SystemExit(3), KeyboardInterrupt(), Exit("done")], ids=repr
)
async def test_an_exception_is_raised_in_the_caller(
    autojump_clock: MockClock, loop: asyncio.AbstractEventLoop, error: BaseException
) -> None:
    """Also one that would end the loop, if asyncio saw it."""

    async def fail() -> None:
        await asyncio.sleep(0)
        raise error

    with pytest.raises(type(error)) as caught:
        await asyncio_call(fail)
    assert caught.value is error
    assert await asyncio_call(add, 1, 2) == 3


async def test_a_function_that_returns_no_awaitable_may_raise_too(
    autojump_clock: MockClock, loop: asyncio.AbstractEventLoop
) -> None:
    with pytest.raises(ZeroDivisionError):
        await asyncio_call(divmod, 1, 0)


async def test_context_variables_of_the_caller_are_seen_and_stay_its_own(
    autojump_clock: MockClock, loop: asyncio.AbstractEventLoop
) -> None:
    async def look() -> tuple[str, str]:
        before = request_id.get()
        request_id.set("changed")
        return before, await asyncio.create_task(read())

    async def read() -> str:
        return request_id.get()

    request_id.set("r-1")
    assert await asyncio_call(look) == ("r-1", "changed")
    assert request_id.get() == "r-1"


async def test_asyncio_code_sends_broadcasts_and_spawns(
    autojump_clock: MockClock, loop: asyncio.AbstractEventLoop
) -> None:
    me = self_pid()

    async def work() -> None:
        await asyncio.sleep(0)
        me.send("sent")
        spawn(body)

    async def body() -> None:
        me.send("spawned")

    await asyncio_call(work)
    assert [await receive(), await receive()] == ["sent", "spawned"]


async def test_a_timeout_cancels_the_task_and_waits_for_its_end(
    autojump_clock: MockClock, loop: asyncio.AbstractEventLoop
) -> None:
    ended = []

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(1)
            ended.append(trio.current_time())

    with trio.move_on_after(5) as scope:
        await asyncio_call(slow)
    assert scope.cancelled_caught
    assert ended == [trio.current_time()]


async def test_a_task_that_has_its_value_despite_the_cancellation_gives_it(
    autojump_clock: MockClock, loop: asyncio.AbstractEventLoop
) -> None:
    async def stubborn() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "done"
        return "never"

    with trio.CancelScope() as scope:
        scope.cancel()
        with trio.CancelScope(shield=True), trio.move_on_after(5):
            assert await asyncio_call(stubborn) == "done"


async def test_a_caller_that_is_cancelled_already_does_nothing(
    autojump_clock: MockClock, loop: asyncio.AbstractEventLoop
) -> None:
    called: list[int] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        await asyncio_call(called.append, 1)
    assert scope.cancelled_caught
    assert called == []


@pytest.mark.parametrize("reason", ["shutdown", "kill"])
async def test_the_exit_of_the_caller_cancels_the_task(
    autojump_clock: MockClock, loop: asyncio.AbstractEventLoop, reason: str
) -> None:
    cancelled = []

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(trio.current_time())
            raise

    pid, _ = spawn_monitor(asyncio_call, slow)
    await wait_all_tasks_blocked()
    pid.exit(reason)
    await receive()
    assert cancelled == [trio.current_time()]
    assert await asyncio_call(add, 1, 2) == 3


async def test_a_cancellation_from_within_asyncio_is_an_ordinary_exception(
    autojump_clock: MockClock, loop: asyncio.AbstractEventLoop
) -> None:
    async def cancels_itself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    with pytest.raises(AsyncioCancelledError, match="within asyncio"):
        await asyncio_call(cancels_itself)


async def test_an_exception_that_nobody_awaits_is_logged_and_the_loop_lives(
    autojump_clock: MockClock, loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise ValueError("nobody awaits this")

    async def leave() -> None:
        asyncio.get_running_loop().call_soon(divmod, 1, 0)
        await asyncio.sleep(0)

    with caplog.at_level(logging.ERROR, "asyncio"):
        await asyncio_call(leave)
    assert "ZeroDivisionError" in caplog.text
    assert await asyncio_call(add, 1, 2) == 3


async def test_a_generator_of_asyncio_is_none_of_the_process(
    autojump_clock: MockClock, loop: asyncio.AbstractEventLoop
) -> None:
    """The process ends while the generator is suspended: only asyncio may close it."""
    closed = []
    kept: list[AsyncGenerator[int, None]] = []

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    async def first() -> int:
        kept.append(numbers())
        return await anext(kept[0])

    assert await Task.async_(asyncio_call, first) == 1
    await wait_all_tasks_blocked()
    assert closed == []
    await asyncio_call(kept[0].aclose)
    assert closed == [True]
