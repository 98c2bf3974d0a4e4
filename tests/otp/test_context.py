"""No process inherits context variables; its own tasks and threads do (P18, TM21)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Final

import pytest
import trio
from trio.testing import MockClock

from phxactor import Channel, Ok, Socket, channel, on
from phxactor.channels import Payload
from phxactor.otp import (
    Agent,
    DynamicSupervisor,
    PartitionSupervisor,
    Registry,
    Reply,
    Server,
    Supervisor,
    Task,
    TaskSupervisor,
    async_stream,
    call,
)
from phxactor.runtime import KILL, Pid, open_runtime, receive, self_pid, spawn, spawn_link, spawn_monitor
from phxactor.testing import connect, settle
from tests.otp import Kit

COLOUR: Final[ContextVar[str]] = ContextVar("colour", default="none")


def _colour(*_: object) -> str:
    return COLOUR.get()


def _answer(*_: object) -> Reply:
    return Reply(COLOUR.get())


async def _told(start: Callable[[Callable[[], Awaitable[None]]], object]) -> object:
    """Start a process in some way; it tells what it sees."""
    me = self_pid()

    async def tell() -> None:
        me.send(("colour", COLOUR.get(), self_pid().dictionary))

    started = start(tell)
    if isinstance(started, Awaitable):
        await started
    told: Any = await receive(lambda message: type(message) is tuple and message[0] == "colour")
    assert told[2] is None
    return told[1]


async def _server(**options: object) -> object:
    seen: list[str] = []
    started = await Kit.start_link(init=lambda _: seen.append(COLOUR.get()), call=_answer)
    return [*seen, await call(started.unwrap(), "colour")]


async def _agent() -> object:
    agent = (await Agent.start_link(_colour)).unwrap()
    return [await Agent.get(agent, lambda started: started), await Agent.get(agent, _colour)]


async def _supervised() -> object:
    (await Supervisor.start_link([Kit.child_spec(call=_answer, name="child")])).unwrap()
    pool = (await DynamicSupervisor.start_link()).unwrap()
    child = (await DynamicSupervisor.start_child(pool, Kit.child_spec(call=_answer))).unwrap()
    (await PartitionSupervisor.start_link(Kit.child_spec(call=_answer), name="parts", partitions=1)).unwrap()
    servers: list[Server] = ["child", child, PartitionSupervisor.via("parts", "key")]
    first = [await call(server, "colour") for server in servers]
    child.exit(KILL)
    await settle()
    return first


async def _task_of_pool(pool: Pid, start: Callable[..., Awaitable[Task[Any]]]) -> object:
    return await (await start(pool, _colour))


async def _pool() -> Pid:
    return (await TaskSupervisor.start_link()).unwrap()


async def _streamed(stream: Any) -> object:  # noqa: ANN401 - of one type or another
    async with stream as results:
        return [result.unwrap() async for result in results]


KINDS: Final[dict[str, Callable[[], Awaitable[object]]]] = {
    "spawn": lambda: _told(spawn),
    "spawn_link": lambda: _told(spawn_link),
    "spawn_monitor": lambda: _told(spawn_monitor),
    "GenServer": _server,
    "Agent": _agent,
    "supervised": _supervised,
    "Task.async_": lambda: Task.async_(_colour).await_(),
    "Task.start": lambda: _told(Task.start),
    "Task.start_link": lambda: _told(Task.start_link),
    "async_stream": lambda: _streamed(async_stream([1], _colour)),
}
POOLED: Final[dict[str, Callable[[Pid], Awaitable[object]]]] = {
    "async_": lambda pool: _task_of_pool(pool, TaskSupervisor.async_),
    "async_nolink": lambda pool: _task_of_pool(pool, TaskSupervisor.async_nolink),
    "start_child": lambda pool: _told(lambda tell: TaskSupervisor.start_child(pool, tell)),
    "async_stream": lambda pool: _streamed(TaskSupervisor.async_stream(pool, [1], _colour)),
}


def _only(value: object) -> set[object]:
    return set(value) if isinstance(value, list) else {value}


@pytest.mark.parametrize("kind", KINDS)
async def test_P18_TM21_a_process_of_any_kind_starts_without_context(kind: str, autojump_clock: MockClock) -> None:
    async with open_runtime():
        COLOUR.set("red")
        self_pid().dictionary = {"colour": "red"}
        assert _only(await KINDS[kind]()) == {"none"}
        await settle()
        self_pid().mailbox.clear()


@pytest.mark.parametrize("kind", POOLED)
async def test_P18_TM21_a_supervised_task_starts_without_context(kind: str, autojump_clock: MockClock) -> None:
    async with open_runtime():
        COLOUR.set("tree")
        pool = await _pool()
        COLOUR.set("request")
        assert _only(await POOLED[kind](pool)) == {"none"}
        await settle()


class Room(Channel):
    """Tells what its callbacks see."""

    async def join(self, topic: str, payload: Payload) -> Ok[object]:
        COLOUR.set("channel")
        return Ok({"colour": self.socket.assigns["colour"]})

    @on("colour")
    async def colour(self, payload: Payload) -> Ok[object]:
        return Ok({"colour": COLOUR.get()})


class Rooms(Socket):
    channels = (channel("room:*", Room),)

    async def connect(self, params: object) -> Ok[None]:
        self.assign(colour=COLOUR.get())
        COLOUR.set("socket")
        return Ok()


async def test_P18_TM21_a_connection_and_its_channels_start_without_context(autojump_clock: MockClock) -> None:
    async with open_runtime():
        COLOUR.set("red")
        client = await connect(Rooms)
        room, other = client.begin_join("room:1"), client.begin_join("room:2")
        for one in (room, other):
            await one.assert_joined({"colour": "none"})
        await room.assert_reply(room.push("colour", {}), "ok", {"colour": "channel"})


async def test_TM21_a_value_is_carried_by_an_argument_and_set_by_the_process_itself(autojump_clock: MockClock) -> None:
    async def work(colour: str) -> str:
        COLOUR.set(colour)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(note)
        return COLOUR.get()

    seen: list[str] = []

    async def note() -> None:
        seen.append(COLOUR.get())

    async with open_runtime():
        COLOUR.set("red")
        assert await Task.async_(work, COLOUR.get()) == "red"
        assert seen == ["red"]
        COLOUR.set("green")
        pool = await _pool()
        assert await (await TaskSupervisor.async_(pool, work, COLOUR.get())) == "green"
        await settle()


async def test_TM21_tasks_and_threads_of_a_process_have_its_context() -> None:
    seen: list[object] = []

    async def note() -> None:
        seen.append((COLOUR.get(), self_pid()))
        COLOUR.set("a task's own")

    async def body() -> None:
        COLOUR.set("green")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(note)
        seen.append(await trio.to_thread.run_sync(COLOUR.get))
        seen.append(COLOUR.get())

    async with open_runtime():
        COLOUR.set("red")
        pid = spawn(body)
        await pid.runtime.ended(pid)
        assert COLOUR.get() == "red"
    assert seen == [("green", pid), "green", "green"]


async def test_TM21_functions_that_run_in_the_caller_have_its_context(autojump_clock: MockClock) -> None:
    seen: list[str] = []
    async with open_runtime():
        await Registry.start_link(name="registry", keys="duplicate")
        Registry.register("registry", "key")
        COLOUR.set("red")
        Registry.dispatch("registry", "key", lambda _: seen.append(COLOUR.get()))
        assert seen == ["red"]


async def test_L10_a_task_knows_who_asked_without_any_context(autojump_clock: MockClock) -> None:
    async with open_runtime():
        me = self_pid()
        pool = await _pool()
        nested = await TaskSupervisor.async_(pool, lambda: Task.async_(lambda: self_pid().callers).await_())
        callers = await nested
        assert callers[-1] is me
        await settle()
