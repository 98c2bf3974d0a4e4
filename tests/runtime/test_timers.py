from __future__ import annotations

import math

import pytest
import trio
from trio.testing import MockClock

from phxactor.runtime import (
    KILL,
    Timer,
    cancel_timer,
    events,
    open_runtime,
    receive,
    register,
    self_pid,
    send_after,
    spawn,
    unregister,
)
from phxactor.testing import settle
from tests.runtime.actors import actors, emitted, idle, port_actor


async def test_TI1_TM40_a_message_comes_once_and_not_too_early(autojump_clock: MockClock) -> None:
    async with open_runtime():
        send_after(self_pid(), "hello", 2.5)
        assert await receive() == "hello"
        assert trio.current_time() == 2.5
        with pytest.raises(TimeoutError):
            await receive(timeout=10)


@pytest.mark.parametrize("seconds", [-1, math.nan])
async def test_TI1_a_time_that_is_none_is_refused(seconds: float) -> None:
    async with open_runtime():
        with pytest.raises(ValueError, match="seconds must be a number of at least 0"):
            send_after(self_pid(), "hello", seconds)


async def test_TI2_zero_is_later_than_a_direct_send(autojump_clock: MockClock) -> None:
    async with open_runtime():
        send_after(self_pid(), "timer", 0)
        self_pid().send("direct")
        assert [await receive(), await receive()] == ["direct", "timer"]
        assert trio.current_time() == 0


async def test_TI2_timers_of_zero_that_set_each_other_let_others_run(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ticks: list[object] = []

        def tick(message: object) -> None:
            ticks.append(message)
            send_after(self_pid(), message, 0)

        port = await port_actor(tick)
        port.pid.send("tick")
        for _ in range(20):
            await trio.lowlevel.checkpoint()
        assert 1 < len(ticks) <= 40
        port.pid.exit(KILL)
        await runtime.ended(port.pid)


async def test_TI3_cancelling_tells_what_was_left(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        timer = send_after(self_pid(), "hello", 10)
        await trio.sleep(4)
        assert cancel_timer(timer) == 6
        assert cancel_timer(timer) is None
        with pytest.raises(TimeoutError):
            await receive(timeout=20)
        assert runtime.statistics().timers == 0


async def test_TI3_a_message_that_has_been_sent_stays(autojump_clock: MockClock) -> None:
    async with open_runtime():
        timer = send_after(self_pid(), "hello", 1)
        await trio.sleep(2)
        assert cancel_timer(timer) is None
        assert await receive(timeout=0) == "hello"


async def test_TI4_any_process_can_cancel(autojump_clock: MockClock) -> None:
    async with open_runtime():
        one, other = await actors(2)
        timer = await one.do(send_after, other.pid, "hello", 10)
        assert await other.do(cancel_timer, timer) == 10


async def test_TI6_a_timer_ends_with_its_destination(autojump_clock: MockClock) -> None:
    async with open_runtime():
        pid = spawn(idle)
        timer = send_after(pid, "hello", 10)
        pid.exit(KILL)
        await settle()
        assert cancel_timer(timer) is None
        send_after(pid, "hello", 10)
        await trio.sleep(20)


async def test_TI6_a_name_is_looked_up_when_the_timer_fires(autojump_clock: MockClock) -> None:
    async with open_runtime():
        one, other = await actors(2)
        register("heir", one.pid)
        send_after("heir", "first", 1)
        send_after("nobody", "lost", 1)
        send_after("heir", "second", 3)
        await trio.sleep(2)
        unregister("heir")
        register("heir", other.pid)
        await trio.sleep(2)
        assert (one.mail, other.mail) == (["first"], ["second"])


async def test_TI7_a_timer_outlives_who_set_it(autojump_clock: MockClock) -> None:
    async with open_runtime():
        one, other = await actors(2)
        await one.do(send_after, other.pid, "hello", 5)
        one.pid.exit(KILL)
        await trio.sleep(6)
        assert other.mail == ["hello"]


async def test_TI8_TM42_timers_fire_by_deadline_and_then_by_creation(autojump_clock: MockClock) -> None:
    async with open_runtime():
        for number in range(10):
            send_after(self_pid(), number, 1)
        send_after(self_pid(), "early", 0.5)
        send_after(self_pid(), "late", 1.5)
        assert [await receive() for _ in range(12)] == ["early", *range(10), "late"]


async def test_a_shorter_timer_wakes_the_timer_task_earlier(autojump_clock: MockClock) -> None:
    async with open_runtime():
        send_after(self_pid(), "late", 100)
        await settle()
        send_after(self_pid(), "early", 1)
        assert await receive() == "early"
        assert trio.current_time() == 1


async def test_many_cancelled_timers_do_not_stay(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        kept = send_after(self_pid(), "kept", 1000)
        timers: list[Timer] = [send_after(self_pid(), number, 500 + number) for number in range(5000)]
        for timer in timers:
            cancel_timer(timer)
        assert len(runtime.timers) == 1
        assert len(runtime.timers._heap) < 1000  # noqa: SLF001 - what it is about
        assert kept.pending
        assert await receive() == "kept"
        assert trio.current_time() == 1000


async def test_cancelled_timers_that_come_next_do_not_wake_anybody(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        send_after(self_pid(), "hello", 1)
        for number in range(5):
            cancel_timer(send_after(self_pid(), number, 2))
        assert await receive() == "hello"
        await settle()
        assert runtime.timers._heap == []  # noqa: SLF001 - what it is about


async def test_a_timer_that_fails_does_not_stop_the_others(autojump_clock: MockClock) -> None:
    def fail(_: object) -> None:
        raise LookupError

    async with open_runtime() as runtime:
        runtime.timers.add(1, fail, None)
        send_after(self_pid(), "hello", 2)
        with emitted(events.timer_failed) as failures:
            assert await receive() == "hello"
        assert [type(fields["exception"]) for fields in failures] == [LookupError]
