from __future__ import annotations

from contextvars import Context

import pytest
import trio
from trio.testing import MockClock

from phxactor.runtime import (
    KILL,
    KILLED,
    NORMAL,
    SHUTDOWN,
    Pid,
    events,
    monitor,
    open_runtime,
    own,
    receive,
    self_pid,
    spawn,
    spawn_link,
    trap_exit,
)
from phxactor.testing import settle
from tests.runtime.actors import Order, emitted, idle, in_order, reason


async def test_S50_TM31_children_are_stopped_one_by_one_the_last_first(autojump_clock: MockClock) -> None:
    order = Order()
    async with open_runtime() as runtime:
        for name in "abc":
            spawn_link(order.slow, name)
        await settle()
    assert order.steps == in_order
    assert runtime.processes == {}
    assert trio.current_time() == 3


async def test_S50_TM30_an_outer_cancellation_stops_in_order_too(autojump_clock: MockClock) -> None:
    order = Order()
    with trio.move_on_after(10) as outer:
        async with open_runtime() as runtime:
            for name in "abc":
                spawn_link(order.slow, name)
            await trio.sleep_forever()
    assert outer.cancelled_caught
    assert order.steps == in_order
    assert reason(runtime.main) == SHUTDOWN


async def test_TM30_a_runtime_can_be_opened_where_all_is_cancelled() -> None:
    ran = []
    with trio.CancelScope() as outer:
        outer.cancel()
        async with open_runtime():
            ran.append("block")
            await trio.lowlevel.checkpoint()
    assert outer.cancelled_caught


@pytest.mark.allow_leaks("who is killed at the end")
async def test_TM31_who_is_nobodys_child_is_killed_at_the_end(autojump_clock: MockClock) -> None:
    order = Order()

    async def parent() -> None:
        spawn(order.orphan, "grandchild")
        await order.slow("child")

    async with open_runtime():
        spawn(parent)
        await settle()
    assert order.steps == ["child told shutdown", "child gone", "grandchild gone"]


@pytest.mark.allow_leaks("who is killed at the end")
async def test_TM31_who_watches_somebody_that_was_stopped_ends_by_himself() -> None:
    async def watch(other: Pid) -> None:
        monitor(other)
        await receive()

    async def parent() -> None:
        pids.append(self_pid())
        for _ in range(20):
            pids.append(spawn(watch, pids[-1]))
        pids.append(spawn(idle))
        await idle()

    pids: list[Pid] = []
    with emitted(events.stray) as strays:
        async with open_runtime():
            spawn(parent)
            await settle()
    first, *watchers, unconcerned = pids
    assert strays == [{"pids": [unconcerned]}]
    assert [reason(pid) for pid in watchers] == [NORMAL] * 20
    assert (reason(first), reason(unconcerned)) == (SHUTDOWN, KILLED)


@pytest.mark.allow_leaks("who is killed at the end")
async def test_TM31_children_that_take_too_long_are_killed(autojump_clock: MockClock) -> None:
    order = Order()
    async with open_runtime(stop_timeout=10):
        first, last = spawn(order.slow, "first", 3), spawn(order.slow, "last", 1000)
        await settle()
    assert trio.current_time() == 10
    assert reason(first) == reason(last) == KILLED
    assert order.steps == ["last told shutdown"]


@pytest.mark.allow_leaks("who is killed at the end")
async def test_a_process_that_makes_more_and_more_is_stopped_too() -> None:
    async def breed() -> None:
        spawn(breed)
        spawn(breed)
        await trio.lowlevel.checkpoint()

    async with open_runtime() as runtime:
        spawn(breed)
        await trio.lowlevel.checkpoint()
    assert runtime.processes == {}


@pytest.mark.allow_leaks("who is killed at the end")
async def test_a_process_that_is_started_from_outside_meanwhile_is_stopped_too() -> None:
    started: list[Pid] = []

    async def obstinate() -> None:
        trap_exit()
        while True:
            await receive()

    async with open_runtime(stop_timeout=0) as runtime:
        pid = spawn(obstinate)
        own(pid, lambda _: started.append(Context().run(runtime.spawn, idle)))
        await settle()
    assert reason(started[0]) == KILLED


async def test_P15_main_is_ending_while_its_children_are_stopped(autojump_clock: MockClock) -> None:
    seen: list[object] = []

    async def child(main: Pid) -> None:
        trap_exit()
        await receive()
        seen.append(main.alive)
        main.exit(KILL)
        await trio.sleep(30)

    with emitted(events.zombie) as zombies:
        async with open_runtime() as runtime:
            spawn(child, self_pid())
            await settle()
    assert seen == [False]
    assert zombies == []
    assert reason(runtime.main) == NORMAL
