"""A server, task or channel that has ended itself, and caught that, answers nobody any more (P8)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from trio.testing import MockClock

from phxactor import Channel, Ok, Socket, channel, on
from phxactor.channels import Payload
from phxactor.otp import Error, Reply, Stop, Task, TaskSupervisor, call, reply
from phxactor.runtime import NORMAL, SHUTDOWN, Exit, From, open_runtime, self_pid, trap_exit
from phxactor.testing import connect
from tests.otp import Kit, end, mail


def _end_oneself(reason: object = "boom") -> None:
    with suppress(Exit):
        self_pid().exit(reason)


def _answer(_: Kit, __: object, ___: From) -> Reply:
    _end_oneself()
    return Reply("from the dead")


def _stop(_: Kit, __: object, ___: From) -> Stop:
    _end_oneself()
    return Stop(NORMAL, reply="from the dead")


def _reply(_: Kit, __: object, from_: From) -> Reply:
    _end_oneself()
    reply(from_, "from the dead")
    return Reply("from the dead")


@pytest.mark.parametrize("answer", [_answer, _stop, _reply])
async def test_P8_a_server_that_has_ended_itself_answers_no_call(
    answer: Callable[[Kit, object, From], object], autojump_clock: MockClock
) -> None:
    async with open_runtime():
        terminated: list[object] = []
        server = (await Kit.start(call=answer, terminate=lambda _, reason: terminated.append(reason))).unwrap()
        with pytest.raises(Exit) as caught:
            await call(server, "hello")
        assert caught.value.reason[0] == "boom"  # type: ignore[index]
        assert await end(server) == "boom"
        assert terminated == []
        assert mail() == []


@pytest.mark.parametrize(("sent", "why"), [("boom", "boom"), ("kill", "killed")])
async def test_P8_G6_a_server_that_ends_itself_in_init_has_not_started(
    sent: str, why: str, autojump_clock: MockClock
) -> None:
    async with open_runtime():
        assert await Kit.start(init=lambda _: _end_oneself(sent)) == Error(why)
        trap_exit()
        assert await Kit.start_link(init=lambda _: _end_oneself(sent), name="kit") == Error(why)
        assert mail() == []


@pytest.mark.parametrize("supervised", [False, True])
async def test_P8_a_task_that_has_ended_itself_has_no_value(supervised: bool, autojump_clock: MockClock) -> None:
    async with open_runtime():
        trap_exit()
        tasks = (await TaskSupervisor.start_link()).unwrap()
        task = await TaskSupervisor.async_(tasks, _end_oneself) if supervised else Task.async_(_end_oneself)
        assert await task.yield_() == Error("boom")


class Room(Channel):
    """Ends itself, and answers all the same."""

    async def join(self, topic: str, payload: Payload) -> Ok[object]:
        if topic == "room:dead":
            _end_oneself()
        return Ok({"joined": True})

    @on("end")
    async def end(self, payload: Payload) -> Ok[object]:
        _end_oneself()
        self.push("lost", {})
        self.broadcast("lost", {})
        return Ok({"answered": True})


class Rooms(Socket):
    channels = (channel("room:*", Room),)


async def test_P8_a_channel_that_has_ended_itself_answers_no_message(autojump_clock: MockClock) -> None:
    async with open_runtime():
        client = await connect(Rooms)
        room, other = await client.join("room:1"), await (await connect(Rooms)).join("room:1")
        ref = room.push("end", {})
        assert await room.assert_crashed() == "boom"
        await room.refute_reply(ref)
        await other.refute_push("lost")
        assert client.connected


async def test_P8_a_channel_that_ends_itself_in_join_lets_nobody_in(autojump_clock: MockClock) -> None:
    async with open_runtime():
        client = await connect(Rooms)
        with pytest.raises(AssertionError, match="join crashed"):
            await client.join("room:dead")
        assert client.connected


@pytest.mark.parametrize("reason", [SHUTDOWN, NORMAL, "odd"])
async def test_G18_a_server_that_is_its_own_parent_ends_by_a_signal_of_its_own(
    reason: str, autojump_clock: MockClock
) -> None:
    heard: list[object] = []
    terminated: list[object] = []

    async with open_runtime():
        server = (
            await Kit.start(
                trap=True,
                cast=lambda *_: self_pid().exit(reason),
                info=lambda _, message: heard.append(message),
                terminate=lambda _, reason: terminated.append(reason),
            )
        ).unwrap()
        Kit.cast(server, "end")
        assert await end(server) == reason
        assert (heard, terminated) == ([], [reason])
