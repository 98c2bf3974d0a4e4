from __future__ import annotations

from phxactor.runtime import (
    KILL,
    KILLED,
    NOPROC,
    NORMAL,
    Answer,
    Down,
    Exit,
    demonitor,
    monitor,
    open_runtime,
    receive,
    register,
    self_pid,
    spawn,
    spawn_monitor,
    whereis,
)
from phxactor.runtime import _signals as signals
from phxactor.testing import settle
from tests.runtime.actors import actors, ended, leave, port_actor


async def test_M1_M12_one_down_and_the_monitor_is_spent() -> None:
    async with open_runtime():
        observed, observer = await actors(2)
        ref = await observer.do(monitor, observed.pid)
        await observed.end(leave, "boom")
        assert observer.mail == [Down(ref, observed.pid, "boom")]
        assert observer.pid.alive
        assert not ref.active
        assert not observer.pid.monitors


async def test_M2_a_dead_process_answers_noproc_and_monitor_never_raises() -> None:
    async with open_runtime():
        observed, observer = await actors(2)
        await observed.end(leave, "boom")
        ref = await observer.do(monitor, observed.pid)
        assert observer.mail == [Down(ref, observed.pid, NOPROC)]


async def test_M2_the_answer_is_on_its_way_when_monitor_returns() -> None:
    async with open_runtime():
        (observed,) = await actors(1)
        await observed.end(leave, "boom")
        ref = monitor(observed.pid)
        assert await receive(timeout=0) == Down(ref, observed.pid, NOPROC)
        ref = monitor(observed.pid)
        assert await receive(lambda message: isinstance(message, Down), timeout=0) == Down(ref, observed.pid, NOPROC)


async def test_M3_a_monitor_by_name_tells_the_name() -> None:
    async with open_runtime():
        observed, observer = await actors(2)
        register("observed", observed.pid)
        ref = await observer.do(monitor, "observed")
        await observed.end(leave, "boom")
        unknown = await observer.do(monitor, "observed")
        assert observer.mail == [Down(ref, "observed", "boom"), Down(unknown, "observed", NOPROC)]


async def test_M4_who_monitors_after_the_signal_learns_noproc() -> None:
    async with open_runtime():
        observed, observer = await actors(2)

        def kill_and_monitor() -> None:
            observed.pid.exit(KILL)
            monitor(observed.pid)

        early = await observer.do(monitor, observed.pid)
        await observer.do(kill_and_monitor)
        assert [message.reason for message in observer.mail if isinstance(message, Down)] == [KILLED, NOPROC]
        assert isinstance(observer.mail[0], Down)
        assert observer.mail[0].ref is early


async def test_M5_TM42_each_monitor_tells_in_the_order_of_creation() -> None:
    async with open_runtime():
        observed, observer = await actors(2)
        refs = [await observer.do(monitor, observed.pid) for _ in range(5)]
        await observed.end(leave, "boom")
        assert len(set(refs)) == 5
        assert observer.mail == [Down(ref, observed.pid, "boom") for ref in refs]


async def test_M6_a_monitor_of_oneself_never_tells() -> None:
    async with open_runtime():
        ref = monitor(self_pid())
        assert not demonitor(ref)
        assert not self_pid().monitors


async def test_M7_after_demonitor_nothing_comes_and_what_has_come_stays() -> None:
    async with open_runtime():
        one, other, observer = await actors(3)
        removed = await observer.do(monitor, one.pid)
        fired = await observer.do(monitor, other.pid)
        await observer.do(demonitor, removed)
        await one.end(leave, "boom")
        await other.end(leave, "boom")
        await observer.do(demonitor, fired)
        assert observer.mail == [Down(fired, other.pid, "boom")]


async def test_M8_flush_takes_the_down_of_this_monitor_out() -> None:
    async def body() -> None:
        one, ref = spawn_monitor(_boom)
        other, kept = spawn_monitor(_boom)
        await settle()
        demonitor(ref, flush=True)
        assert list(self_pid().mailbox) == [Down(kept, other, "boom")]
        assert not one.alive

    async with open_runtime():
        assert await ended(body) == NORMAL


async def test_M9_demonitor_tells_whether_the_monitor_was_active() -> None:
    async with open_runtime():
        observed, observer = await actors(2)
        ref = await observer.do(monitor, observed.pid)
        assert await observer.do(demonitor, ref) is True
        ref = await observer.do(monitor, observed.pid)
        await observed.end(leave, NORMAL)
        assert await observer.do(demonitor, ref) is False


async def test_M9_a_monitor_of_the_dead_is_active_until_its_down_is_taken_in() -> None:
    async with open_runtime():
        (observed,) = await actors(1)
        await observed.end(leave, NORMAL)
        assert demonitor(monitor(observed.pid)) is True
        await settle()
        assert not self_pid().mailbox


async def test_M10_demonitor_twice_is_no_error() -> None:
    async with open_runtime():
        (observed,) = await actors(1)
        ref = monitor(observed.pid)
        assert [demonitor(ref), demonitor(ref), demonitor(ref, flush=True)] == [True, False, False]


async def test_M11_the_monitors_of_a_dead_observer_are_gone() -> None:
    async with open_runtime():
        observed, observer = await actors(2)
        ref = await observer.do(monitor, observed.pid)
        await observer.end(leave, "boom")
        assert not ref.active
        assert not observed.pid.watchers
        assert observed.mail == []
        await observed.end(leave, "boom")


async def test_M11_an_observer_that_dies_before_its_noproc_comes_is_no_harm() -> None:
    async def body() -> None:
        monitor(dead)

    async with open_runtime():
        dead = spawn(_boom)
        await settle()
        assert await ended(body) == NORMAL
        await settle()


async def test_M13_M15_answers_reach_a_monitors_owner_only_while_it_is_active() -> None:
    async with open_runtime():
        one, other, observer = await actors(3)
        removed, fired = await observer.do(monitor, one.pid), await observer.do(monitor, other.pid)
        removed.reply("in time")
        await observer.do(demonitor, removed)
        removed.reply("too late")
        await other.end(leave, "boom")
        fired.reply("too late")
        await settle()
        first, *rest = observer.mail
        assert isinstance(first, Answer)
        assert (first.ref, first.value) == (removed, "in time")
        assert rest == [Down(fired, other.pid, "boom")]


async def test_M14_two_answers_before_the_monitor_is_removed_both_come() -> None:
    async with open_runtime():
        (one,) = await actors(1)
        ref = monitor(one.pid)
        ref.reply(1)
        ref.reply(2)
        assert [message.value for message in self_pid().mailbox if isinstance(message, Answer)] == [1, 2]


async def test_O5_who_has_heard_of_the_end_finds_neither_life_nor_name() -> None:
    found = []

    def look(message: object) -> None:
        assert isinstance(message, Down)
        found.append((observed.pid.alive, whereis("observed"), message.reason))

    async with open_runtime():
        (observed,) = await actors(1)
        observer = await port_actor(look)
        register("observed", observed.pid)
        signals.add_monitor(observer.pid, observed.pid)
        await observed.end(leave, "boom")
    assert found == [(False, None, "boom")]


async def _boom() -> None:
    raise Exit("boom")
