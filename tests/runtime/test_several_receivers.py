"""Several tasks of one process receive: no message is lost, and each has its own (TM23, TM26)."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest
import trio
from trio.testing import MockClock

from phxactor.runtime import (
    Answer,
    From,
    Pid,
    open_runtime,
    receive,
    self_pid,
)
from phxactor.testing import settle
from tests.runtime.taking_messages import Taken, _is, _take


async def test_TM23_each_message_goes_to_the_task_that_waits_for_it() -> None:
    taken: Taken = []
    async with open_runtime():
        me = self_pid()
        ref = From(me)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_take, taken, "any", me.receive())
            await settle()
            nursery.start_soon(_take, taken, "ref", me.receive_ref(ref, 0, None))
            nursery.start_soon(_take, taken, "b", receive(_is("b")))
            nursery.start_soon(_take, taken, "timed", receive(_is("d"), timeout=60))
            await settle()
            assert me.statistics().receiving
            ref.reply("answer")
            me.send("d")
            me.send("b")
            await settle()
            assert ("any", "d") in taken  # it has waited for the longest, and takes anything
            me.send("d")
            await settle()
        assert sorted(name for name, _ in taken) == ["any", "b", "ref", "timed"]
        answer = dict(taken)["ref"]
        assert isinstance(answer, Answer)
        assert answer.value == "answer"
        assert me.mailbox == []
        assert not me.statistics().receiving


async def test_TM23_of_several_that_take_a_message_the_one_that_has_waited_longest_has_it() -> None:
    for _ in range(20):  # trio runs tasks in random order
        taken: Taken = []
        async with open_runtime():
            me = self_pid()
            async with trio.open_nursery() as nursery:
                for name, wanted in (("first", "b"), ("second", None), ("third", None)):
                    receives = me.receive() if wanted is None else receive(_is(wanted))
                    nursery.start_soon(_take, taken, name, receives)
                    await settle()
                for message in ("b", "a", "c"):
                    me.send(message)
                await settle()
            assert sorted(taken) == [("first", "b"), ("second", "a"), ("third", "c")]


async def _loop(taken: Taken, me: Pid) -> None:
    while True:
        await _take(taken, "loop", me.receive())
        await trio.lowlevel.checkpoint()


async def test_TM23_a_loop_that_receives_takes_nothing_from_a_task_that_waits_for_something() -> None:
    for _ in range(20):
        taken: Taken = []
        async with open_runtime():
            me = self_pid()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(_take, taken, "b", receive(_is("b")))
                await settle()
                nursery.start_soon(_loop, taken, me)
                await settle()
                for message in ("a", "b", "c"):
                    me.send(message)
                    await trio.lowlevel.checkpoint()
                await settle()
                nursery.cancel_scope.cancel()
            assert sorted(taken) == [("b", "b"), ("loop", "a"), ("loop", "c")]


async def test_TM26_cancelling_one_leaves_the_others(autojump_clock: MockClock) -> None:
    taken: Taken = []
    async with open_runtime():
        me = self_pid()
        refs = [From(me) for _ in range(3)]

        async def given_up(receives: Awaitable[object]) -> None:
            with trio.move_on_after(1):
                await _take(taken, "given up", receives)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(given_up, me.receive())
            await settle()
            nursery.start_soon(_take, taken, "0", me.receive_ref(refs[0], 0, None))
            nursery.start_soon(given_up, me.receive_ref(refs[1], 0, None))
            nursery.start_soon(given_up, receive(_is("b")))
            nursery.start_soon(_take, taken, "c", receive(_is("c"), timeout=60))
            nursery.start_soon(_take, taken, "2", me.receive_ref(refs[2], 0, 60))
            await trio.sleep(2)
            for ref in refs:
                ref.reply(None)
            me.send("b")
            me.send("c")
        assert sorted(name for name, _ in taken) == ["0", "2", "c"]
        left = list(me.mailbox)
        assert left[1:] == ["b"]
        assert isinstance(left[0], Answer)
        assert left[0].ref is refs[1]


async def test_TM26_one_that_is_left_alone_goes_on_as_if_it_had_always_been() -> None:
    taken: Taken = []
    async with open_runtime():
        me = self_pid()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_take, taken, "any", me.receive())
            await settle()
            with trio.move_on_after(0.01):
                await receive(_is("never"))
            assert me.waiters is None
            me.send("a")
            await settle()
            assert taken == [("any", "a")]
            nursery.start_soon(_take, taken, "any", me.receive())
            await settle()
            with trio.CancelScope() as scope:
                scope.cancel()
                await me.receive_ref(From(me), 0, None)
            nursery.cancel_scope.cancel()
        assert (me.waiter, me.waiters) == (None, None)


async def test_N4_each_has_its_own_time_out(autojump_clock: MockClock) -> None:
    late: list[str] = []

    async def timed(name: str, receives: Awaitable[object]) -> None:
        try:
            await receives
        except TimeoutError:
            late.append(f"{name} {trio.current_time():.0f}")

    async with open_runtime():
        me = self_pid()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(timed, "any", me.receive(2))
            nursery.start_soon(timed, "ref", me.receive_ref(From(me), 0, 1))
            nursery.start_soon(timed, "match", receive(_is("a"), timeout=3))
        assert late == ["ref 1", "any 2", "match 3"]
        assert me.runtime.statistics().timers == 0


async def test_N3_a_timeout_of_zero_beside_others_takes_only_what_is_left(autojump_clock: MockClock) -> None:
    taken: Taken = []
    async with open_runtime():
        me = self_pid()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_take, taken, "b", receive(_is("b")))
            await settle()
            with pytest.raises(TimeoutError):
                await me.receive(0)
            me.send("a")
            me.send("b")
            assert await me.receive(0) == "a"
            with pytest.raises(TimeoutError):
                await receive(_is("b"), timeout=0)
        assert taken == [("b", "b")]


async def test_N2_what_a_match_raises_comes_out_of_its_own_receive() -> None:
    def raises(message: object) -> bool:
        if message == "odd":
            raise LookupError("it is odd")
        return False

    taken: Taken = []
    async with open_runtime():
        me = self_pid()

        async def picky() -> None:
            with pytest.raises(LookupError):
                await receive(raises)
            taken.append(("picky", None))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(picky)
            await settle()
            nursery.start_soon(_take, taken, "any", me.receive())
            await settle()
            me.send("odd")
        assert sorted(taken, key=str) == [("any", "odd"), ("picky", None)]
        assert me.mailbox == []
