from __future__ import annotations

from contextvars import ContextVar

import pytest
import trio

from phxactor.runtime import (
    KILL,
    KILLED,
    NORMAL,
    SHUTDOWN,
    Crash,
    Down,
    Exit,
    Exited,
    Pid,
    Shutdown,
    State,
    events,
    link,
    monitor,
    open_runtime,
    own,
    receive,
    register,
    self_pid,
    spawn,
    spawn_link,
    spawn_monitor,
    trap_exit,
    whereis,
)
from phxactor.runtime import _signals as signals
from phxactor.testing import settle
from tests.runtime.actors import Actor, actors, emitted, ended, nothing, port_actor, reason


async def test_P1_returning_is_normal_and_the_value_is_dropped() -> None:
    async def body() -> int:
        return 42

    async with open_runtime():
        assert await ended(body) == NORMAL


async def test_P2_an_uncaught_exception_is_a_crash_with_its_traceback() -> None:
    async def body() -> None:
        raise ValueError("no")

    async with open_runtime():
        with emitted(events.crashed) as crashes:
            pid = spawn(body)
            await settle()
    crash = reason(pid)
    assert isinstance(crash, Crash)
    assert isinstance(crash.exception, ValueError)
    assert crash.exception.__traceback__ is not None
    assert crash.exception.__traceback__.tb_frame.f_code.co_name == "body"
    assert crashes == [{"pid": pid, "exception": crash.exception}]


@pytest.mark.parametrize("why", ["boom", NORMAL, SHUTDOWN, Shutdown("closed"), ("boom", 1), None, 7])
async def test_P4_exit_ends_with_exactly_its_reason(why: object) -> None:
    async def body() -> None:
        raise Exit(why)

    async with open_runtime():
        with emitted(events.crashed) as crashes:
            assert await ended(body) == why
    assert crashes == []


async def test_P5_X9_exiting_with_kill_is_an_ordinary_reason() -> None:
    async def body() -> None:
        raise Exit(KILL)

    async with open_runtime():
        linked, trapping = Actor(), Actor(trap=True)
        await settle()
        pid = await linked.do(spawn_link, body)
        other = await trapping.do(spawn_link, body)
        assert reason(pid) == KILL
        assert reason(linked.pid) == KILL
        assert trapping.mail == [Exited(other, KILL)]


async def test_P6_TM25_exit_can_be_caught_but_is_no_exception() -> None:
    steps: list[object] = []

    def fail(error: BaseException) -> None:
        raise error

    async def body() -> None:
        try:
            try:
                fail(Exit("boom"))
            except Exception:  # noqa: BLE001 - what must not catch it
                steps.append("except Exception")
            finally:
                steps.append("finally")
        except Exit as error:
            steps.append(error.reason)
        await trio.lowlevel.checkpoint()
        steps.append("alive" if self_pid().alive else "ending")

    async with open_runtime():
        assert await ended(body) == NORMAL
    assert steps == ["finally", "boom", "alive"]


async def test_P7_TM4_of_a_signal_no_except_clause_hears_but_finally_runs() -> None:
    steps = []

    async def body() -> None:
        try:
            await receive()
        except Exception:  # noqa: BLE001 - what must not catch it
            steps.append("except Exception")
        finally:
            steps.append("finally")
        steps.append("after")

    async with open_runtime():
        pid = spawn(body)
        await settle()
        pid.exit("boom")
        await settle()
        assert reason(pid) == "boom"
    assert steps == ["finally"]


@pytest.mark.parametrize(("sent", "why"), [("boom", "boom"), (KILL, KILLED), (NORMAL, NORMAL)])
async def test_P8_P9_TM3_a_signal_to_oneself_takes_effect_in_the_call(sent: object, why: object) -> None:
    steps = []

    async def body() -> None:
        steps.append("before")
        self_pid().exit(sent)
        steps.append("after")

    async with open_runtime():
        assert await ended(body) == why
    assert steps == ["before"]


async def test_P8_TM4_who_catches_his_own_end_ends_at_the_next_await() -> None:
    steps: list[object] = []

    async def body() -> None:
        try:
            self_pid().exit("boom")
        except Exit:
            steps.append(self_pid().alive)
        await trio.lowlevel.checkpoint()
        steps.append("after")

    async with open_runtime():
        assert await ended(body) == "boom"
    assert steps == [False]


async def test_P10_a_normal_signal_to_oneself_is_a_message_when_trapped() -> None:
    async def body() -> None:
        trap_exit()
        self_pid().exit(NORMAL)
        assert await receive() == Exited(self_pid(), NORMAL)
        raise Exit("as expected")

    async with open_runtime():
        assert await ended(body) == "as expected"


async def test_P11_P12_P13_a_signalled_process_is_not_alive_but_still_listed_and_named() -> None:
    async with open_runtime() as runtime:
        (actor,) = await actors(1)
        register("actor", actor.pid)
        actor.pid.exit("boom")
        assert not actor.pid.alive
        assert actor.pid.state is State.EXITING
        assert actor.pid.number in runtime.processes
        assert whereis("actor") is actor.pid
        await settle()
        assert reason(actor.pid) == "boom"
        assert whereis("actor") is None


async def test_P14_NM5_TM17_name_and_resources_are_free_before_anybody_hears() -> None:
    async with open_runtime():
        table: list[Pid] = []
        heard: list[tuple[object, Pid | None, list[Pid]]] = []
        listener = await port_actor(lambda message: heard.append((message, whereis("actor"), list(table))), trap=True)
        (actor,) = await actors(1)
        register("actor", actor.pid)
        table.append(actor.pid)
        own(actor.pid, table.remove)
        await actor.do(link, listener.pid)
        ref = signals.add_monitor(listener.pid, actor.pid)
        actor.pid.exit("boom")
        await settle()
    assert heard == [(Exited(actor.pid, "boom"), None, []), (Down(ref, actor.pid, "boom"), None, [])]


async def test_P14_a_resource_that_cannot_be_released_keeps_nobody_from_hearing() -> None:
    def fail(_: Pid) -> None:
        raise LookupError

    async with open_runtime():
        released: list[Pid] = []
        (actor,) = await actors(1)
        own(actor.pid, fail)
        own(actor.pid, released.append)
        ref = monitor(actor.pid)
        with emitted(events.cleanup_failed) as failures:
            actor.pid.exit("boom")
            assert await receive() == Down(ref, actor.pid, "boom")
        assert released == [actor.pid]
        assert [type(fields["exception"]) for fields in failures] == [LookupError]


async def test_P14_what_is_owned_by_a_dead_process_is_released_at_once() -> None:
    async with open_runtime():
        pid = spawn(nothing)
        await settle()
        released: list[Pid] = []
        own(pid, released.append)
        assert released == [pid]


@pytest.mark.parametrize("second", ["two", KILL, SHUTDOWN])
async def test_P15_the_first_fatal_signal_stands(second: str) -> None:
    async with open_runtime():
        (actor,) = await actors(1)
        actor.pid.exit("one")
        actor.pid.exit(second)
        await settle()
        assert reason(actor.pid) == "one"


async def test_P16_P17_messages_and_signals_to_the_dead_have_no_effect() -> None:
    async with open_runtime():
        pid = spawn(nothing)
        await settle()
        pid.send("hello")
        pid.exit("boom")
        pid.exit(KILL)
        await settle()
        assert reason(pid) == NORMAL
        assert pid.statistics().length == 0


_colour: ContextVar[str] = ContextVar("colour", default="none")


async def test_P18_TM21_a_process_inherits_no_context_and_its_tasks_do() -> None:
    seen: list[object] = []

    async def note() -> None:
        seen.append((_colour.get(), self_pid()))

    async def body() -> None:
        seen.append(_colour.get())
        assert self_pid().dictionary is None
        _colour.set("green")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(note)

    async with open_runtime():
        _colour.set("red")
        pid = spawn(body)
        await settle()
    assert seen == ["none", ("green", pid)]


async def test_P19_spawn_returns_before_the_child_has_run() -> None:
    ran = []

    async def body() -> None:
        ran.append(1)

    async with open_runtime():
        spawn(body)
        assert ran == []
        await settle()
        assert ran == [1]


async def test_P20_a_child_that_dies_at_once_has_its_true_reason() -> None:
    async def body() -> None:
        raise Exit("at once")

    async with open_runtime():
        trap_exit()
        linked = spawn_link(body)
        assert await receive() == Exited(linked, "at once")
        watched, ref = spawn_monitor(body)
        assert await receive() == Down(ref, watched, "at once")


async def test_P20_a_process_that_is_killed_before_it_has_run_never_runs() -> None:
    ran = []

    async def body() -> None:
        ran.append(1)

    async with open_runtime():
        pid, ref = spawn_monitor(body)
        pid.exit(KILL)
        assert await receive() == Down(ref, pid, KILLED)
        assert ran == []


async def test_P21_pids_are_never_equal() -> None:
    async with open_runtime():
        pids = []
        for _ in range(20):
            pids.append(spawn(nothing))
            await settle()
        assert len(set(pids)) == 20
        numbers = [pid.number for pid in pids]
        assert numbers == sorted(set(numbers))


async def test_P22_asking_about_the_dead_never_raises() -> None:
    async with open_runtime():
        pid = spawn(nothing)
        await settle()
        assert pid.alive is False
        assert pid.statistics().receiving is False
        assert repr(pid)
