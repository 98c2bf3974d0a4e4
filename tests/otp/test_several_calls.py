"""Calls side by side in the tasks of one process: each gets its own answer (TM23, G24)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import Agent, GenServer, NoReply, Reply, Task, async_stream, call, reply, stop
from phxactor.runtime import Exit, From, Pid, demonitor, monitor, open_runtime, receive, self_pid, spawn
from phxactor.testing import settle
from tests.otp import Kit


class Slow(GenServer):
    """Answers after so many seconds."""

    async def init(self, seconds: float = 1) -> None:
        self.seconds = seconds

    async def handle_call(self, request: object, from_: From) -> Reply | NoReply:
        if request == "never":
            return NoReply()
        await trio.sleep(self.seconds)
        return Reply(request)


async def _into(answers: dict[object, object], name: object, asks: Awaitable[object]) -> None:
    try:
        answers[name] = await asks
    except Exit as error:
        answers[name] = error.reason[0] if isinstance(error.reason, tuple) else error.reason


async def test_TM23_two_calls_side_by_side(autojump_clock: MockClock) -> None:
    answers: dict[object, object] = {}
    async with open_runtime():
        servers = [(await Slow.start_link(seconds)).unwrap() for seconds in (2, 1)]
        async with trio.open_nursery() as nursery:
            for number, server in enumerate(servers):
                nursery.start_soon(_into, answers, number, call(server, number))
        assert answers == {0: 0, 1: 1}
        assert trio.current_time() == 2
        assert self_pid().mailbox == []
        assert not self_pid().monitors


async def test_TM23_many_calls_to_one_server_and_to_one_that_answers_at_once(autojump_clock: MockClock) -> None:
    answers: dict[object, object] = {}
    async with open_runtime():
        server = (await Kit.start_link(call=lambda _, request, __: Reply(request))).unwrap()
        async with trio.open_nursery() as nursery:
            for number in range(300):
                nursery.start_soon(_into, answers, number, call(server, number))
        assert answers == {number: number for number in range(300)}
        assert self_pid().mailbox == []


async def test_TM23_every_kind_of_waiting_beside_every_other(autojump_clock: MockClock) -> None:
    answers: dict[object, object] = {}

    async def stream() -> object:
        async with async_stream([1, 2], lambda number: number) as results:
            return [result.unwrap() async for result in results]

    async def task() -> object:
        return await Task.async_(lambda: "task")

    async def tasks() -> object:
        return await Task.await_many([Task.async_(lambda: 1), Task.async_(lambda: 2)])

    async with open_runtime():
        me = self_pid()
        server, other = (await Slow.start_link()).unwrap(), (await Slow.start_link()).unwrap()
        agent = (await Agent.start_link(lambda: "state")).unwrap()
        asks: dict[str, Callable[[], Awaitable[object]]] = {
            "call": partial(call, server, "call"),
            "timed out": partial(call, server, "never", 3),
            "stop": partial(stop, other),
            "agent": partial(Agent.get, agent, lambda value: value),
            "start": Kit.start,
            "task": task,
            "tasks": tasks,
            "stream": stream,
            "matching": lambda: receive(lambda message: message == "b", timeout=60),
        }
        async with trio.open_nursery() as nursery:
            for name, ask in asks.items():
                nursery.start_soon(_into, answers, name, ask())
            await trio.sleep(10)
            me.send("b")
            me.send("a")
        started = answers.pop("start")
        assert answers == {
            "call": "call",
            "timed out": "timeout",
            "stop": None,
            "agent": "state",
            "task": "task",
            "tasks": [1, 2],
            "stream": [1, 2],
            "matching": "b",
        }
        assert me.mailbox == ["a"]
        assert not other.alive
        await stop(started.unwrap())  # type: ignore[attr-defined]


@pytest.mark.parametrize("timeout", [None, 60])
async def test_G24_cancelling_one_call_leaves_the_other_and_nothing_behind(
    timeout: float | None, autojump_clock: MockClock
) -> None:
    answers: dict[object, object] = {}
    async with open_runtime():
        me = self_pid()
        servers = [(await Slow.start_link(2)).unwrap() for _ in range(2)]

        async def given_up() -> None:
            with trio.move_on_after(1):
                await _into(answers, "given up", call(servers[0], "given up", timeout))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(given_up)
            nursery.start_soon(_into, answers, "kept", call(servers[1], "kept", timeout))
            nursery.start_soon(_into, answers, "receive", me.receive())
            await trio.sleep(4)
            me.send("a")
        assert answers == {"kept": "kept", "receive": "a"}
        assert me.mailbox == []
        assert not me.monitors


async def test_X1_the_end_of_one_server_is_the_failure_of_its_call_only(autojump_clock: MockClock) -> None:
    answers: dict[object, object] = {}
    async with open_runtime():
        dying, living = (await Slow.start()).unwrap(), (await Slow.start_link()).unwrap()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_into, answers, "dying", call(dying, 1))
            nursery.start_soon(_into, answers, "living", call(living, 2))
            await settle()
            dying.exit("boom")
        assert answers == {"dying": "boom", "living": 2}
        assert self_pid().mailbox == []


async def test_M8_a_call_keeps_its_answer_when_another_task_flushes(autojump_clock: MockClock) -> None:
    async def nothing() -> None:
        pass

    async with open_runtime():
        server = (await Slow.start_link()).unwrap()
        watches = [monitor(spawn(nothing)) for _ in range(2)]
        await settle()

        async def tidy() -> None:
            for watch in watches:
                demonitor(watch, flush=True)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(tidy)
            assert await call(server, "question", 5) == "question"
        assert trio.current_time() == 1
        assert self_pid().mailbox == []


async def test_G25_a_second_reply_to_a_call_is_no_message_to_one_that_receives(autojump_clock: MockClock) -> None:
    def twice(_: Kit, request: object, from_: From) -> Reply:
        reply(from_, request)
        return Reply("again")

    answers: dict[object, object] = {}
    async with open_runtime():
        me = self_pid()
        server = (await Kit.start_link(call=twice)).unwrap()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_into, answers, "receive", me.receive())
            await settle()
            assert await call(server, 1) == 1
            await settle()
            me.send("a")
        assert answers["receive"] == "a" or type(answers["receive"]).__name__ == "Answer"
        me.mailbox.clear()


async def test_a_server_may_call_side_by_side_in_a_callback(autojump_clock: MockClock) -> None:
    async with open_runtime():
        servers: list[Pid] = [(await Slow.start_link()).unwrap() for _ in range(3)]

        async def gather(*_: object) -> Reply:
            answers: dict[object, object] = {}
            async with trio.open_nursery() as nursery:
                for number, server in enumerate(servers):
                    nursery.start_soon(_into, answers, number, call(server, number))
            return Reply(answers)

        gatherer = (await Kit.start_link(call=gather)).unwrap()
        assert await call(gatherer, "gather") == {0: 0, 1: 1, 2: 2}
        assert trio.current_time() == 1
