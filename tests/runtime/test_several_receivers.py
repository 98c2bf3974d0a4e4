"""Several tasks of one process receive: no message is lost, and each has its own (TM23, TM26)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from phxactor.runtime import (
    KILLED,
    NORMAL,
    Answer,
    Down,
    Exit,
    From,
    Pid,
    demonitor,
    monitor,
    open_runtime,
    receive,
    self_pid,
    set_port,
    spawn,
    taking,
)
from phxactor.testing import settle
from tests.runtime.actors import ended, reason

Taken = list[tuple[str, object]]


async def _take(taken: Taken, name: str, receives: Awaitable[object]) -> None:
    taken.append((name, await receives))


def _is(value: object) -> Callable[[object], bool]:
    return lambda message: message == value


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


@pytest.mark.parametrize("shielded", [False, True])
async def test_TM13_none_of_a_process_that_ends_takes_another_message(shielded: bool) -> None:
    taken: Taken = []

    async def body() -> None:
        me = self_pid()
        with trio.CancelScope(shield=shielded):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_take, taken, "any", me.receive())
                nursery.start_soon(_take, taken, "a", receive(_is("a")))
                nursery.start_soon(_take, taken, "ref", me.receive_ref(refs[0], 0, None))

    async with open_runtime():
        pid = spawn(body)
        refs = [From(pid)]
        await settle()
        pid.send("a")
        pid.exit("kill")
        refs[0].reply(None)
        pid.send("b")
        await settle()
        assert reason(pid) == KILLED
        assert [name for name, _ in taken if name != "ref"] == []


async def test_a_flush_by_another_task_takes_nothing_from_one_that_waits() -> None:
    taken: Taken = []

    async def nothing() -> None:
        pass

    async with open_runtime():
        me = self_pid()
        watches = [monitor(spawn(nothing)) for _ in range(3)]
        await settle()
        assert [type(message) for message in me.mailbox] == [Down] * 3
        async with trio.open_nursery() as nursery:
            ref = From(me)
            nursery.start_soon(_take, taken, "ref", me.receive_ref(ref, len(me.mailbox), None))
            nursery.start_soon(_take, taken, "b", receive(_is("b")))
            await settle()
            for watch in watches:
                demonitor(watch, flush=True)
            me.send("a")
            me.send("b")
            ref.reply("answer")
        assert sorted(name for name, _ in taken) == ["b", "ref"]
        assert me.mailbox == ["a"]


async def test_a_process_with_a_port_may_receive_in_several_tasks() -> None:
    heard: list[object] = []
    taken: Taken = []

    async def body() -> None:
        me = self_pid()
        set_port(heard.append)

        async def one(name: str) -> None:
            with taking(me):
                await _take(taken, name, receive(_is(name)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, "a")
            nursery.start_soon(one, "b")
        await trio.sleep_forever()

    async with open_runtime():
        pid = spawn(body)
        await settle()
        pid.send(1)
        pid.send("a")
        await settle()
        assert (taken, heard) == ([("a", "a")], [])
        pid.send("b")
        await settle()
        pid.send(2)
        assert heard == [1, 2]
        with pytest.raises(ZeroDivisionError), taking(pid):
            raise ZeroDivisionError
        assert not pid.port_busy


async def test_one_that_is_woken_for_nothing_waits_on() -> None:
    taken: Taken = []
    async with open_runtime():
        me = self_pid()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_take, taken, "first", me.receive())
            await settle()
            me.send("one")  # it wakes the other task, but this one is faster
            assert await me.receive() == "one"
            nursery.start_soon(_take, taken, "second", me.receive())
            await settle()
            me.send("two")
            me.send("three")
        assert sorted(message for _, message in taken) == ["three", "two"]  # type: ignore[type-var]


WAYS: Final = ("any", "timed", "a", "b", "ref")


class _Program:
    """Tasks that receive, messages that come, and cancellations, in any order."""

    def __init__(self, pid: Pid) -> None:
        self.pid = pid
        self.taken: list[object] = []
        self.refs: list[From] = []
        self.own: dict[int, From] = {}
        self.scopes: list[trio.CancelScope] = []

    async def one(self, way: str) -> None:
        number = len(self.scopes)
        with trio.CancelScope() as scope:
            self.scopes.append(scope)
            if way == "ref":
                ref = From(self.pid)
                self.refs.append(ref)
                self.own[number] = ref
                answer = await self.pid.receive_ref(ref, 0, None)
                assert isinstance(answer, Answer)
                assert answer.ref is ref
                self.taken.append(answer.value)
            elif way in ("a", "b"):
                message = await receive(lambda message: type(message) is tuple and message[0] == way)
                assert isinstance(message, tuple)
                assert message[0] == way
                self.taken.append(message)
            else:
                self.taken.append(await self.pid.receive(60 if way == "timed" else None))


STEPS = st.one_of(
    st.tuples(st.just("receive"), st.sampled_from(WAYS)),
    st.tuples(st.just("send"), st.sampled_from("abc")),
    st.tuples(st.just("reply"), st.integers(0, 5)),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.tuples(st.just("settle"), st.just(0)),
    st.tuples(st.just("pass"), st.just(0)),
)


@given(st.lists(STEPS, max_size=25))
@settings(max_examples=150, deadline=None)
def test_TM26_whatever_tasks_do_each_message_is_taken_once_or_waits(steps: list[tuple[str, object]]) -> None:
    trio.run(_play, steps)


async def _play(steps: list[tuple[str, object]]) -> None:
    sent: list[object] = []
    async with open_runtime():
        me = self_pid()
        program = _Program(me)
        async with trio.open_nursery() as nursery:
            for number, (verb, what) in enumerate(steps):
                if verb == "receive":
                    nursery.start_soon(program.one, str(what))
                elif verb == "send":
                    sent.append((what, number))
                    me.send((what, number))
                elif verb == "reply":
                    for ref in program.refs[int(str(what)) :][:1]:
                        if ref.active:
                            sent.append(("answer", number))
                            ref.reply(("answer", number))
                            ref.active = False
                elif verb == "cancel":
                    for scope in program.scopes[int(str(what)) :][:1]:
                        scope.cancel()
                elif verb == "settle":
                    await settle()
                else:
                    await trio.lowlevel.checkpoint()
            await settle()
            waiting = [one for one in me.waiters or () if one.refs is None]
            left = [message.value if isinstance(message, Answer) else message for message in me.mailbox]
            assert not (me.statistics().receiving and me.idle and left)
            for one in waiting:
                assert not any(one.match(message) for message in me.mailbox if one.match is not None)
            nursery.cancel_scope.cancel()
        taken = [message.value if isinstance(message, Answer) else message for message in program.taken]
        assert sorted(taken + left, key=str) == sorted(sent, key=str)
        assert (me.waiter, me.waiters) == (None, None)
        assert me.runtime.statistics().timers == 0
        me.mailbox.clear()


async def test_TM23_an_exit_in_one_of_them_ends_the_process() -> None:
    async def body() -> None:
        me = self_pid()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(me.receive)
            await settle()
            raise Exit("boom")

    async with open_runtime():
        assert await ended(body) == "boom"

    async def peaceful() -> None:
        me = self_pid()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(me.receive)
            nursery.start_soon(me.receive)
            await settle()
            me.send(1)
            me.send(2)

    async with open_runtime():
        assert await ended(peaceful) == NORMAL
