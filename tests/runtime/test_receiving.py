from __future__ import annotations

from functools import partial

import pytest
import trio

from phxactor.runtime import (
    KILL,
    KILLED,
    NORMAL,
    Answer,
    Exit,
    From,
    Pid,
    events,
    open_runtime,
    receive,
    self_pid,
    spawn,
)
from phxactor.runtime._mailbox import BUDGET
from phxactor.testing import settle
from tests.runtime.actors import actors, emitted, reason, shielded


async def test_receive_ref_looks_only_behind_what_was_there_and_wakes_only_for_its_ref(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def client(result: list[object]) -> None:
        me = self_pid()
        me.send(early)
        result.append(await me.receive_ref(ref, 1, 10))
        with pytest.raises(TimeoutError):
            await me.receive_ref(ref, 1, 10)

    async with open_runtime():
        result: list[object] = []
        pid = spawn(client, result)
        ref = From(pid)
        wanted, early = Answer(ref, "wanted"), Answer(ref, "early")
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        pid.send(Answer(From(pid), "another"))
        assert pid.statistics().receiving
        pid.send(wanted)
        assert not pid.statistics().receiving
        assert await pid.runtime.ended(pid) == NORMAL
        assert result == [wanted]
        assert trio.current_time() == 10


@pytest.mark.parametrize("shielded", [False, True])
async def test_TM4_a_dying_process_receivesnothing(shielded: bool) -> None:
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
            await settle()
            if message:
                pid.send(message)
            pid.exit("boom")
            await settle()
            assert reason(pid) == "boom"
        assert taken == []


async def test_TM7_a_receive_in_a_shield_does_not_keep_a_kill_away() -> None:
    async with open_runtime():
        pid = spawn(shielded(receive))
        await settle()
        pid.exit(KILL)
        await settle()
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
        me = self_pid()
        ref = From(me)
        while True:
            me.send(Answer(ref, "answer"))
            if how == "receive_ref":
                await me.receive_ref(ref, 0, None)
            else:
                await receive(lambda _: True)

    async with open_runtime():
        pid = spawn(greedy)
        await trio.lowlevel.checkpoint()
        pid.exit(KILL)
        assert await pid.runtime.ended(pid) == KILLED


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


@pytest.mark.parametrize("error", [LookupError(), SystemExit(1), Exit("any"), KeyboardInterrupt()])
async def test_TM34_what_such_a_function_raises_is_told_and_ends_nobody(error: BaseException) -> None:
    def fail() -> None:
        raise error

    async with open_runtime() as runtime:
        with emitted(events.call_failed) as told:
            runtime.run_soon(fail)
            runtime.run_soon(partial(self_pid().send, "next"))
            assert await receive() == "next"
        assert told == [{"exception": error}]
