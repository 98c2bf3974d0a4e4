from __future__ import annotations

from collections.abc import Callable

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
    receive,
    self_pid,
    send,
    set_port,
    signals,
    spawn,
    spawn_link,
)
from phxactor.runtime.pid import PORT_DEPTH
from phxactor.runtime.receiving import BUDGET, LONG
from tests.runtime.actors import actors, emitted, ended, idle, leave, port_actor, reason, settled


async def test_an_idle_port_runs_in_the_send_itself() -> None:
    async with open_runtime():
        port = await port_actor()
        port.pid.send("hello")
        assert port.mail == ["hello"]
        assert port.pid.statistics().length == 0


async def test_a_port_takes_first_what_has_waited() -> None:
    taken: list[object] = []
    begin = trio.Event()

    async def body() -> None:
        await begin.wait()
        set_port(taken.append)
        assert taken == [0, 1, 2]
        await trio.sleep_forever()

    async with open_runtime():
        pid = spawn(body)
        for number in range(3):
            pid.send(number)
        begin.set()
        await settled()
        pid.send(3)
        assert taken == [0, 1, 2, 3]


async def test_a_long_queue_is_taken_in_passes_and_in_order() -> None:
    taken: list[object] = []
    count = 4 * BUDGET + LONG
    begin = trio.Event()

    async def body() -> None:
        await begin.wait()
        set_port(taken.append)
        await trio.sleep_forever()

    async with open_runtime():
        pid = spawn(body)
        for number in range(count):
            pid.send(number)
        begin.set()
        while not taken:
            await trio.lowlevel.checkpoint()
        assert len(taken) <= 2 * BUDGET  # two passes of it may come between two of this test
        pid.send(count)  # behind those that wait
        await settled()
        assert taken == list(range(count + 1))


async def test_a_port_can_be_taken_away_and_messages_wait_again() -> None:
    taken: list[object] = []
    again = trio.Event()

    async def body() -> None:
        set_port(taken.append)
        await again.wait()
        set_port(None)
        taken.append(("received", await receive()))

    async with open_runtime():
        pid = spawn(body)
        await settled()
        pid.send(1)
        again.set()
        await settled()
        pid.send(2)
        await settled()
        assert taken == [1, ("received", 2)]


async def test_a_port_can_take_itself_away() -> None:
    def once(message: object) -> None:
        taken.append(message)
        set_port(None)

    taken: list[object] = []
    async with open_runtime():
        port = await port_actor(once)
        port.pid.send(1)
        port.pid.send(2)
        assert taken == [1]
        assert list(port.pid.mailbox) == [2]


async def test_messages_queue_while_the_port_is_busy() -> None:
    steps: list[object] = []

    def take(message: object) -> None:
        steps.append(("begin", message))
        if message == "first":
            send(self_pid(), "to itself")
            assert self_pid().statistics().length == 1
        steps.append(("end", message))

    async with open_runtime():
        port = await port_actor(take)
        port.pid.send("first")
        assert steps == [("begin", "first"), ("end", "first"), ("begin", "to itself"), ("end", "to itself")]


async def test_a_port_that_is_marked_busy_queues_and_its_process_can_receive() -> None:
    taken: list[object] = []

    async def body() -> None:
        me = self_pid()
        set_port(taken.append)
        me.port_busy = True
        taken.append(("received", await receive(lambda message: message == "answer")))
        me.port_busy = False
        me.run_port_queue()
        await trio.sleep_forever()

    async with open_runtime():
        pid = spawn(body)
        await settled()
        for message in (1, "answer", 2):
            pid.send(message)
        await settled()
        pid.send(3)
        assert taken == [("received", "answer"), 1, 2, 3]


@pytest.mark.parametrize("match", [None, lambda _: True])
async def test_a_process_whose_port_takes_its_messages_cannot_receive(match: Callable[[object], bool] | None) -> None:
    async def body() -> None:
        set_port(lambda _: None)
        with pytest.raises(RuntimeError, match="port"):
            await receive(match)

    async with open_runtime():
        assert await ended(body) == NORMAL


async def test_a_port_runs_as_its_own_process() -> None:
    children: list[Pid] = []

    def take(_: object) -> None:
        children.append(spawn_link(idle))
        send(self_pid(), "mine") if len(children) == 1 else None

    async with open_runtime() as runtime:
        port = await port_actor(take)
        (sender,) = await actors(1)
        await sender.do(port.pid.send, "hello")
        runtime.run_soon(lambda: port.pid.send("from nobody"))
        await settled()
        assert len(children) == 3
        for child in children:
            assert child.parent is port.pid
            assert child.links == {port.pid: False}
        assert self_pid() is runtime.main


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
        await settled()
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
        await settled()
        assert reason(killed.pid) == KILLED
        assert killed.mail == []
        linked.pid.exit(KILL)
        await settled()
        assert reason(linked.pid) == KILLED


async def test_M1_a_port_gets_downs() -> None:
    async with open_runtime():
        port = await port_actor()
        (observed,) = await actors(1)
        early = signals.monitor(port.pid, observed.pid)
        await observed.end(leave, "boom")
        late = signals.monitor(port.pid, observed.pid)
        await settled()
        assert port.mail == [Down(early, observed.pid, "boom"), Down(late, observed.pid, "noproc")]


async def test_TM17_a_port_may_do_anything_while_another_process_is_buried() -> None:
    refs: list[Monitor] = []

    def meddle(message: object) -> None:
        assert isinstance(message, Exited)
        me = self_pid()
        signals.unlink(second.pid, message.pid)
        signals.demonitor(refs[0])
        signals.monitor(me, message.pid)
        signals.link(me, message.pid)
        raise LookupError

    async with open_runtime():
        meddler, second = await port_actor(meddle, trap=True), await port_actor(trap=True)
        (victim,) = await actors(1)
        for port in (meddler, second):
            await victim.do(link, port.pid)
        refs.append(signals.monitor(second.pid, victim.pid))
        await victim.end(leave, "boom")
        assert reason(victim.pid) == "boom"
        assert isinstance(reason(meddler.pid), Crash)
        assert second.mail == [Exited(victim.pid, "boom")]


async def test_M7_a_monitor_that_is_removed_while_the_others_are_told_tells_nothing() -> None:
    refs: list[Monitor] = []
    async with open_runtime():
        first = await port_actor(lambda _: signals.demonitor(refs[1]))
        second = await port_actor()
        (victim,) = await actors(1)
        refs += [signals.monitor(port.pid, victim.pid) for port in (first, second)]
        await victim.end(leave, "boom")
        assert second.mail == []
        assert first.pid.alive


async def test_O1_the_order_of_each_sender_is_kept_through_queues_and_passes() -> None:
    taken: list[tuple[str, int]] = []
    count = 4 * BUDGET

    async def sender(name: str, port: Pid) -> None:
        for number in range(count):
            port.send((name, number))
            if number % 7 == 0:
                await trio.lowlevel.checkpoint()

    def take(message: object) -> None:
        assert isinstance(message, tuple)
        taken.append(message)
        if len(taken) % 50 == 1:
            for _ in range(BUDGET // 10):
                self_pid().send(("itself", next(numbers)))

    async with open_runtime() as runtime:
        numbers = iter(range(10**6))
        port = await port_actor(take)
        pids = [spawn(sender, name, port.pid) for name in ("red", "green")]
        for pid in pids:
            await runtime.ended(pid)
        await settled()
    for name in ("red", "green", "itself"):
        mine = [number for who, number in taken if who == name]
        assert mine == list(range(len(mine)))
    assert len(taken) > 2 * count


async def test_ten_thousand_ports_in_a_chain_neither_recurse_nor_starve() -> None:
    count = 10_000
    turns: list[int] = []

    async def bystander() -> None:
        while len(arrived) < 1:
            turns.append(len(turns))
            await trio.lowlevel.checkpoint()

    arrived: list[object] = []
    async with open_runtime() as runtime:
        following: Pid | None = None
        for _ in range(count):
            following = runtime.spawn(_forward_to, following, arrived)
        await settled()
        assert following is not None
        spawn(bystander)
        following.send("hello")
        await settled()
        assert arrived == ["hello"]
        assert len(turns) >= count // PORT_DEPTH - 1


async def test_beyond_the_depth_the_order_is_kept_too() -> None:
    async with open_runtime() as runtime:
        arrived: list[object] = []
        following: Pid | None = None
        for _ in range(2 * PORT_DEPTH):
            following = runtime.spawn(_forward_to, following, arrived)
        await settled()
        assert following is not None
        for number in range(10):
            following.send(number)
        assert arrived == []
        await settled()
        assert arrived == list(range(10))


async def test_ports_that_answer_each_other_for_ever_starve_nobody() -> None:
    async with open_runtime() as runtime:
        pair: list[Pid] = []
        count = 0

        def answer(_: object) -> None:
            nonlocal count
            count += 1
            pair[self_pid() is pair[0]].send("ball")

        pair += [(await port_actor(answer)).pid, (await port_actor(answer)).pid]
        pair[0].send("ball")
        for _ in range(10):
            before = count
            await trio.lowlevel.checkpoint()
            assert count - before <= 10 * BUDGET
        for pid in pair:
            pid.exit(KILL)
            await runtime.ended(pid)


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
        await settled()
        assert len(taken) == BUDGET + 1
        assert port.pid.statistics().length == 0


async def test_a_body_that_returns_ends_its_port() -> None:
    taken: list[object] = []

    async def body() -> None:
        set_port(taken.append)

    async with open_runtime():
        pid = spawn(body)
        await settled()
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
            await settled()
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
        await settled()
        port = await port_actor(take)
        port.pid.send("watch")
        await settled()
        assert seen == ["monitored", Down]


async def _forward_to(following: Pid | None, arrived: list[object]) -> None:
    set_port(arrived.append if following is None else following.send)
    await trio.sleep_forever()
