from __future__ import annotations

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
    Monitor,
    Pid,
    events,
    link,
    monitor,
    open_runtime,
    self_pid,
    set_port,
    spawn,
)
from phxactor.runtime import _signals as signals
from phxactor.runtime._mailbox import BUDGET
from phxactor.testing import settle
from tests.runtime.actors import actors, emitted, ended, leave, port_actor, reason


@pytest.mark.parametrize(
    ("error", "why"), [(ValueError("no"), Crash), (Exit("boom"), "boom"), (KeyboardInterrupt(), Crash)]
)
async def test_a_failure_ends_the_ports_process_and_never_the_sender(error: BaseException, why: object) -> None:
    def fail(_: object) -> None:
        raise error

    async with open_runtime():
        port = await port_actor(fail)
        (sender,) = await actors(1)
        with emitted(events.crashed) as crashes:
            await sender.do(port.pid.send, "hello")
            assert not port.pid.alive
        assert sender.pid.alive
        if why is Crash:
            crash = reason(port.pid)
            assert isinstance(crash, Crash)
            assert crash.exception is error
            assert [fields["pid"] for fields in crashes] == [port.pid]
        else:
            assert reason(port.pid) == why
            assert crashes == []


async def test_a_failed_port_takes_nothing_more() -> None:
    def fail(message: object) -> None:
        taken.append(message)
        raise ValueError

    taken: list[object] = []
    async with open_runtime():
        port = await port_actor(fail)
        for number in range(3):
            port.pid.send(number)
        await settle()
        assert not port.pid.alive
        assert taken == [0]


async def test_P8_a_port_that_ends_its_own_process_ends_only_that() -> None:
    async with open_runtime():
        port = await port_actor(lambda _: self_pid().exit("enough"))
        (sender,) = await actors(1)
        await sender.do(port.pid.send, "hello")
        assert reason(port.pid) == "enough"
        assert sender.pid.alive


async def test_a_port_that_ends_its_sender_lets_the_send_return() -> None:
    steps: list[object] = []

    async def body(port: Pid) -> None:
        port.send(self_pid())
        steps.append(self_pid().alive)
        await trio.lowlevel.checkpoint()
        steps.append("not reached")

    def take(message: object) -> None:
        assert isinstance(message, Pid)
        message.exit("boom")

    async with open_runtime():
        port = await port_actor(take)
        assert await ended(body, port.pid) == "boom"
        assert port.pid.alive
    assert steps == [False]


async def test_X6_a_trapping_port_gets_signals_as_messages() -> None:
    async with open_runtime():
        port = await port_actor(trap=True)
        (stranger,) = await actors(1)
        await stranger.do(port.pid.exit, "boom")
        assert port.mail == [Exited(stranger.pid, "boom")]
        await stranger.do(link, port.pid)
        await stranger.end(leave, SHUTDOWN)
        assert port.mail[1:] == [Exited(stranger.pid, SHUTDOWN)]


async def test_X1_X7_a_port_that_does_not_trap_dies_of_signals() -> None:
    async with open_runtime():
        killed, linked = await port_actor(), await port_actor(trap=True)
        killed.pid.exit(KILL)
        killed.pid.send("too late")
        await settle()
        assert reason(killed.pid) == KILLED
        assert killed.mail == []
        linked.pid.exit(KILL)
        await settle()
        assert reason(linked.pid) == KILLED


async def test_M1_a_port_gets_downs() -> None:
    async with open_runtime():
        port = await port_actor()
        (observed,) = await actors(1)
        early = signals.add_monitor(port.pid, observed.pid)
        await observed.end(leave, "boom")
        late = signals.add_monitor(port.pid, observed.pid)
        await settle()
        assert port.mail == [Down(early, observed.pid, "boom"), Down(late, observed.pid, "noproc")]


async def test_TM17_a_port_may_do_anything_while_another_process_is_buried() -> None:
    refs: list[Monitor] = []

    def meddle(message: object) -> None:
        assert isinstance(message, Exited)
        me = self_pid()
        signals.drop_link(second.pid, message.pid)
        signals.drop_monitor(refs[0])
        signals.add_monitor(me, message.pid)
        signals.add_link(me, message.pid)
        raise LookupError

    async with open_runtime():
        meddler, second = await port_actor(meddle, trap=True), await port_actor(trap=True)
        (victim,) = await actors(1)
        for port in (meddler, second):
            await victim.do(link, port.pid)
        refs.append(signals.add_monitor(second.pid, victim.pid))
        await victim.end(leave, "boom")
        assert reason(victim.pid) == "boom"
        assert isinstance(reason(meddler.pid), Crash)
        assert second.mail == [Exited(victim.pid, "boom")]


async def test_M7_a_monitor_that_is_removed_while_the_others_are_told_tells_nothing() -> None:
    refs: list[Monitor] = []
    async with open_runtime():
        first = await port_actor(lambda _: signals.drop_monitor(refs[1]))
        second = await port_actor()
        (victim,) = await actors(1)
        refs += [signals.add_monitor(port.pid, victim.pid) for port in (first, second)]
        await victim.end(leave, "boom")
        assert second.mail == []
        assert first.pid.alive


async def test_a_dead_port_drops_what_was_queued() -> None:
    async with open_runtime():
        taken: list[object] = []

        def take(message: object) -> None:
            taken.append(message)
            for number in range(2 * BUDGET):
                self_pid().send(number)

        port = await port_actor(take)
        port.pid.send("first")
        assert len(taken) == BUDGET + 1
        port.pid.exit(KILL)
        await settle()
        assert len(taken) == BUDGET + 1
        assert port.pid.statistics().length == 0


async def test_a_body_that_returns_ends_its_port() -> None:
    taken: list[object] = []

    async def body() -> None:
        set_port(taken.append)

    async with open_runtime():
        pid = spawn(body)
        await settle()
        pid.send("too late")
        assert reason(pid) == NORMAL
        assert taken == []


async def test_what_a_port_raises_while_its_process_ends_is_told_apart() -> None:
    def fail(_: object) -> None:
        me = self_pid()
        signals.fatal(me, "boom")
        raise LookupError

    async with open_runtime():
        port = await port_actor(fail)
        with emitted(events.crashed) as crashes, emitted(events.cleanup_failed) as failures:
            port.pid.send("hello")
            await settle()
        assert reason(port.pid) == "boom"
        assert crashes == []
        assert [type(fields["exception"]) for fields in failures] == [LookupError]


async def test_M2_a_port_learns_of_the_dead_only_after_the_call_of_monitor() -> None:
    async with open_runtime():
        seen: list[object] = []

        def take(message: object) -> None:
            if message == "watch":
                monitor(dead)
                seen.append("monitored")
            else:
                seen.append(type(message))

        dead = spawn(trio.lowlevel.checkpoint)
        await settle()
        port = await port_actor(take)
        port.pid.send("watch")
        await settle()
        assert seen == ["monitored", Down]
