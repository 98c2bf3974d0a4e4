from __future__ import annotations

from collections import deque

import pytest
import trio

from phxactor.runtime import KILL, Down, Exited, Pid, link, monitor, open_runtime, receive, self_pid, spawn
from phxactor.runtime._mailbox import LONG
from phxactor.testing import settle
from tests.runtime.actors import Actor, actors, leave, reason, shielded


async def test_O1_messages_and_signals_of_one_sender_keep_their_order() -> None:
    async with open_runtime():
        one, other = await actors(2)

        def talk() -> None:
            for number in range(100):
                other.pid.send(number)
            other.pid.exit("boom")
            other.pid.send("never")

        seen: list[object] = []
        other.mail = seen
        await one.do(talk)
        assert reason(other.pid) == "boom"
        assert seen in ([], list(range(100)))


async def test_O1_a_trapped_signal_stands_between_the_messages() -> None:
    async with open_runtime():
        one, other = Actor(), Actor(trap=True)
        await settle()

        def talk() -> None:
            other.pid.send(1)
            other.pid.exit("boom")
            other.pid.send(2)

        await one.do(talk)
        assert other.mail == [1, Exited(one.pid, "boom"), 2]


async def test_O2_all_messages_come_before_the_end_of_their_sender() -> None:
    async with open_runtime():
        one, other = Actor(), Actor(trap=True)
        await settle()
        await other.do(link, one.pid)
        ref = await other.do(monitor, one.pid)

        def talk_and_leave() -> None:
            for number in range(500):
                other.pid.send(number)
            leave("boom")

        await one.end(talk_and_leave)
        assert other.mail == [*range(500), Exited(one.pid, "boom"), Down(ref, one.pid, "boom")]


async def test_O4_TM13_a_process_that_was_woken_and_then_killed_takes_no_message() -> None:
    taken = []

    async def body() -> None:
        taken.append(await receive())

    async with open_runtime():
        for body_now in (body, shielded(body)):
            pid = spawn(body_now)
            await settle()
            pid.send("m")  # it wakes up with this ...
            pid.exit("boom")  # ... but is told this before it runs
            await settle()
            assert reason(pid) == "boom"
        assert taken == []


async def test_O7_a_signal_needs_no_receive() -> None:
    async def body() -> None:
        while True:
            await trio.lowlevel.checkpoint()

    async with open_runtime():
        pid = spawn(body)
        await trio.lowlevel.checkpoint()
        pid.exit("boom")
        assert await pid.runtime.ended(pid) == "boom"


async def test_N1_a_mailbox_takes_any_number_in_order_and_nobody_waits() -> None:
    count = 10 * LONG
    async with open_runtime():
        me = self_pid()
        for number in range(count):
            me.send(number)
        assert me.statistics().length == count
        assert [await receive() for _ in range(count)] == list(range(count))
        assert isinstance(me.mailbox, deque)
        me.send("later")
        assert await receive() == "later"


async def test_N2_the_oldest_match_is_taken_and_the_others_stay_in_order() -> None:
    async with open_runtime():
        for message in (1, "a", 2, "b", 3):
            self_pid().send(message)
        assert await receive(lambda message: isinstance(message, str)) == "a"
        assert await receive(lambda message: isinstance(message, int) and message > 1) == 2
        assert [await receive() for _ in range(3)] == [1, "b", 3]


async def test_N2_a_match_that_comes_later_is_waited_for() -> None:
    async def body(result: list[object]) -> None:
        result.append(await receive(lambda message: message == "b"))
        result.append(await receive())

    async with open_runtime():
        result: list[object] = []
        pid = spawn(body, result)
        for message in ("x", "a", "b"):
            await settle()
            pid.send(message)
        await settle()
        assert result == ["b", "x"]


async def test_N2_what_a_match_raises_comes_out_of_receive() -> None:
    def fail(_: object) -> bool:
        raise LookupError

    async with open_runtime():
        self_pid().send(1)
        with pytest.raises(LookupError):
            await receive(fail)
        assert await receive() == 1


async def test_N3_a_timeout_of_zero_looks_once(autojump_clock: trio.testing.MockClock) -> None:
    async with open_runtime():
        with pytest.raises(TimeoutError):
            await receive(timeout=0)
        self_pid().send("a")
        with pytest.raises(TimeoutError):
            await receive(lambda message: message == "b", timeout=0)
        assert await receive(lambda message: message == "a", timeout=0) == "a"
        self_pid().send("c")
        assert await receive(timeout=0) == "c"
        assert trio.current_time() == 0


async def test_N4_a_timeout_counts_from_entry_whatever_comes(autojump_clock: trio.testing.MockClock) -> None:
    async def chatter(pid: Pid) -> None:
        while True:
            await trio.sleep(1)
            pid.send("other")

    async with open_runtime():
        spawn(chatter, self_pid())
        with pytest.raises(TimeoutError):
            await receive(lambda message: message == "wanted", timeout=10.5)
        assert trio.current_time() == 10.5
        assert self_pid().statistics().length == 10


async def test_N4_a_flood_does_not_hold_a_timeout_off(autojump_clock: trio.testing.MockClock) -> None:
    async def flood(pid: Pid) -> None:
        while True:
            pid.send("other")
            await trio.lowlevel.checkpoint()

    async with open_runtime():
        flooding = spawn(flood, self_pid())
        with pytest.raises(TimeoutError):
            await receive(lambda message: message == "wanted", timeout=0)
        flooding.exit(KILL)


async def test_N4_a_message_in_time_leaves_no_timer(autojump_clock: trio.testing.MockClock) -> None:
    async def send_later(pid: Pid) -> None:
        await trio.sleep(1)
        pid.send("hello")

    async with open_runtime() as runtime:
        spawn(send_later, self_pid())
        assert await receive(timeout=5) == "hello"
        assert trio.current_time() == 1
        assert len(runtime.timers) == 0
