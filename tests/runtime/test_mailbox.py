from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio

from phxactor.runtime import (
    KILL,
    KILLED,
    NORMAL,
    Down,
    Exited,
    Pid,
    Ref,
    link,
    monitor,
    open_runtime,
    receive,
    self_pid,
    spawn,
)
from phxactor.runtime.receiving import BUDGET, LONG
from tests.runtime.actors import Actor, actors, ended, leave, reason, settled


class Tagged:
    """A message with a `ref`."""

    def __init__(self, ref: Ref) -> None:
        self.ref = ref


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
        await settled()

        def talk() -> None:
            other.pid.send(1)
            other.pid.exit("boom")
            other.pid.send(2)

        await one.do(talk)
        assert other.mail == [1, Exited(one.pid, "boom"), 2]


async def test_O2_all_messages_come_before_the_end_of_their_sender() -> None:
    async with open_runtime():
        one, other = Actor(), Actor(trap=True)
        await settled()
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
        for body_now in (body, _shielded(body)):
            pid = spawn(body_now)
            await settled()
            pid.send("m")  # it wakes up with this ...
            pid.exit("boom")  # ... but is told this before it runs
            await settled()
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
            await settled()
            pid.send(message)
        await settled()
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


async def test_receive_ref_looks_only_behind_what_was_there_and_wakes_only_for_its_ref(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ref = Ref()
    wanted, early = Tagged(ref), Tagged(ref)

    async def client(result: list[object]) -> None:
        me = self_pid()
        me.send(early)
        result.append(await me.receive_ref(ref, 1, 10))
        with pytest.raises(TimeoutError):
            await me.receive_ref(ref, 1, 10)

    async with open_runtime():
        result: list[object] = []
        pid = spawn(client, result)
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        pid.send(Tagged(Ref()))
        assert pid.statistics().receiving
        pid.send(wanted)
        assert not pid.statistics().receiving
        assert await pid.runtime.ended(pid) == NORMAL
        assert result == [wanted]
        assert trio.current_time() == 10


@pytest.mark.parametrize("shielded", [False, True])
async def test_TM4_a_dying_process_receives_nothing(shielded: bool) -> None:
    taken = []

    async def body() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=shielded):
                taken.append(await receive())

    async with open_runtime():
        for message in (None, "waiting"):
            pid = spawn(body)
            await settled()
            if message:
                pid.send(message)
            pid.exit("boom")
            await settled()
            assert reason(pid) == "boom"
        assert taken == []


async def test_TM7_a_receive_in_a_shield_does_not_keep_a_kill_away() -> None:
    async with open_runtime():
        pid = spawn(_shielded(receive))
        await settled()
        pid.exit(KILL)
        await settled()
        assert reason(pid) == KILLED


async def test_TM26_a_cancel_scope_around_receive_loses_no_message(autojump_clock: trio.testing.MockClock) -> None:
    got: list[object] = []

    async def body() -> None:
        while len(got) < 200:
            with trio.move_on_after(1):
                got.append(await receive())

    async def sender(pid: Pid) -> None:
        for number in range(200):
            await trio.sleep(0.5 if number % 3 else 1)  # some messages come in the very tick of the time-out
            pid.send(number)

    async with open_runtime() as runtime:
        pid = spawn(body)
        spawn(sender, pid)
        await runtime.ended(pid)
    assert got == list(range(200))


async def test_TM26_a_cancelled_receive_leaves_the_message_in_the_mailbox() -> None:
    async with open_runtime():
        me = self_pid()
        for number in range(BUDGET + 1):
            me.send(number)
        taken = 0
        with trio.CancelScope() as scope:
            scope.cancel()
            while True:
                await receive()
                taken += 1
        assert taken == BUDGET
        assert await receive() == BUDGET


async def test_TM27_a_process_that_finds_messages_lets_others_run_after_its_budget() -> None:
    turns: list[int] = []

    async def greedy() -> None:
        for number in range(5 * BUDGET):
            self_pid().send(number)
        for _ in range(5 * BUDGET):
            await receive()
            turns.append(0)

    async def other() -> None:
        while len(turns) < 5 * BUDGET:
            turns.append(1)
            await trio.lowlevel.checkpoint()

    async with open_runtime() as runtime:
        pid = spawn(greedy)
        spawn(other)
        await runtime.ended(pid)
    longest = max(len(run) for run in "".join(map(str, turns)).split("1"))
    assert longest <= 2 * BUDGET  # the scheduler may swap the two between passes


@pytest.mark.parametrize("how", ["receive_matching", "receive_ref"])
async def test_TM27_selective_receives_let_others_run_too(how: str) -> None:
    async def greedy() -> None:
        me, ref = self_pid(), Ref()
        while True:
            me.send(Tagged(ref))
            if how == "receive_ref":
                await me.receive_ref(ref, 0, None)
            else:
                await receive(lambda _: True)

    async with open_runtime():
        pid = spawn(greedy)
        await trio.lowlevel.checkpoint()
        pid.exit(KILL)
        assert await pid.runtime.ended(pid) == KILLED


async def test_TM23_a_second_receiver_is_told_so() -> None:
    async def body() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            await settled()
            with pytest.raises(RuntimeError, match="two tasks"):
                await receive()
            self_pid().waiter, waiter = None, self_pid().waiter  # as if it had been woken ...
            self_pid().send("a")
            self_pid().waiter = waiter  # ... and waits again
            with pytest.raises(RuntimeError, match="two tasks"):
                await receive()
            nursery.cancel_scope.cancel()

    async with open_runtime():
        assert await ended(body) == NORMAL


async def test_TM34_other_threads_send_through_the_runtime_in_order() -> None:
    async with open_runtime() as runtime:
        me = self_pid()

        def work() -> None:
            for number in range(10):
                runtime.run_soon(partial(me.send, number))

        await trio.to_thread.run_sync(work)
        assert [await receive() for _ in range(10)] == list(range(10))


async def test_TM28_statistics_tell_of_the_mailbox() -> None:
    async with open_runtime() as runtime:
        (actor,) = await actors(1)
        assert (actor.pid.statistics().length, actor.pid.statistics().receiving) == (0, True)
        actor.pid.send(1)
        assert (actor.pid.statistics().length, actor.pid.statistics().receiving) == (1, False)
        assert runtime.statistics().messages == 1
        assert runtime.statistics().processes == 2


def _shielded(function: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    async def body() -> None:
        with trio.CancelScope(shield=True):
            await function()

    return body
