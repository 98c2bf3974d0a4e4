"""A crash by a library that needs asyncio names the page that says what to do; nothing else gets a note."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from phxactor import (
    Channel,
    Crash,
    Down,
    GenServer,
    Ok,
    Socket,
    channel,
    on,
    open_runtime,
    receive,
    spawn_monitor,
)
from phxactor.otp import Task
from phxactor.runtime import explain
from phxactor.runtime._hints import MOST, NEEDS_ASYNCIO, NEEDS_TRIO
from phxactor.testing import connect, settle


async def bare_sleep() -> None:
    await asyncio.sleep(0)


async def timed_sleep() -> None:
    await asyncio.sleep(1)


async def queue() -> None:
    await asyncio.Queue[int]().get()


async def task_group() -> None:
    async with asyncio.TaskGroup():
        pass


async def in_a_nursery() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timed_sleep)


async def wrapped() -> None:
    try:
        await timed_sleep()
    except RuntimeError as error:
        raise ConnectionError("the library hides it") from error


@pytest.mark.parametrize("body", [bare_sleep, timed_sleep, queue, task_group, in_a_nursery, wrapped])
async def test_asyncio_in_a_process_is_explained(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, body: Callable[[], Awaitable[None]]
) -> None:
    async with open_runtime():
        spawn_monitor(body)
        down = await receive()
    assert isinstance(down, Down)
    assert isinstance(down.reason, Crash)
    assert "docs/libraries.md" in caplog.text
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[1] is not None
    assert NEEDS_ASYNCIO in record.exc_info[1].__notes__


class Room(Channel):
    """One that was written for asyncio."""

    @on("work")
    async def work(self, payload: object) -> Ok[object]:
        await asyncio.sleep(1)
        return Ok({})


class Rooms(Socket):
    channels = (channel("room", Room),)


class Refuses(Socket):
    async def connect(self, params: object) -> None:
        await asyncio.sleep(1)


async def test_it_is_explained_in_a_channel(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with open_runtime():
        room = await (await connect(Rooms)).join("room")
        await room.assert_joined()
        room.push("work", {})
        await settle()
    assert NEEDS_ASYNCIO in caplog.text


class Server(GenServer):
    async def init(self, at: str) -> None:
        self.at = at
        if at == "init":
            await asyncio.sleep(1)

    async def handle_info(self, message: object) -> None:
        await asyncio.sleep(1)


@pytest.mark.parametrize("at", ["init", "info"])
async def test_it_is_explained_in_a_server(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, at: str
) -> None:
    async with open_runtime():
        started = await Server.start(at)
        if isinstance(started, Ok):
            started.value.send("go")
            await trio.sleep(1)
    assert NEEDS_ASYNCIO in caplog.text


async def test_it_is_explained_in_a_task(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with open_runtime():
        Task.start(timed_sleep)
        await trio.sleep(1)
    assert NEEDS_ASYNCIO in caplog.text


async def test_it_is_explained_in_a_function_for_run_soon(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_runtime() as runtime:
        runtime.run_soon(asyncio.get_running_loop)
        await trio.sleep(1)
    assert NEEDS_ASYNCIO in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("the loop of the belt is not running"),
        TypeError("unsupported operand"),
        AttributeError("x", name="create_task", obj=object()),
        ValueError("no running event loop"),
        ExceptionGroup("many", [ValueError(str(n)) for n in range(2 * MOST)]),
    ],
    ids=lambda error: f"{type(error).__name__}",
)
def test_other_exceptions_have_no_note(error: Exception) -> None:
    explain(error)
    assert not hasattr(error, "__notes__")


def test_a_note_is_added_once() -> None:
    error = RuntimeError("no running event loop")
    error.__context__ = ExceptionGroup("circle", [error])
    explain(error)
    explain(error)
    assert error.__notes__ == [NEEDS_ASYNCIO]


class HostileError(RuntimeError):
    def __str__(self) -> str:
        raise SystemError

    def __getattribute__(self, name: str) -> object:
        raise SystemError(name)


def test_an_exception_that_raises_when_it_is_looked_at_is_left_alone() -> None:
    explain(HostileError())


def test_the_other_way_round_has_a_note_of_its_own() -> None:
    async def main() -> None:
        await trio.lowlevel.checkpoint()

    with pytest.raises(RuntimeError) as caught:
        asyncio.run(main())
    explain(caught.value)
    assert caught.value.__notes__ == [NEEDS_TRIO]
