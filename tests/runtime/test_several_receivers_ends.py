"""Several tasks of one process receive while it ends, flushes or has a port; and in any order (TM23, TM26)."""

from __future__ import annotations

from typing import Final

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

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
from tests.runtime.taking_messages import Taken, _is, _take


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
