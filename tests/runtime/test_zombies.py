from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from phxactor.runtime import (
    KILL,
    KILLED,
    SHUTDOWN,
    Down,
    Exit,
    Exited,
    Pid,
    events,
    link,
    monitor,
    open_runtime,
    receive,
    register,
    spawn,
    trap_exit,
    whereis,
)
from phxactor.testing import settle
from tests.runtime.actors import Actor, Order, actors, emitted, idle, stubborn

pytestmark = pytest.mark.allow_leaks("zombies")


def _failure(attempt: Callable[[], object]) -> object:
    try:
        attempt()
    except Exit as error:
        return error.reason
    return None


async def test_TM10_TM7_a_process_that_shields_itself_from_a_kill_is_given_up(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        watcher = Actor(trap=True)
        pid = spawn(stubborn, 60)
        await settle()
        register("stubborn", pid)
        await watcher.do(link, pid)
        ref = await watcher.do(monitor, pid)
        with emitted(events.zombie) as zombies:
            pid.exit(KILL)
            await trio.sleep(4.9)
            assert watcher.mail == []
            assert whereis("stubborn") is pid
            await trio.sleep(0.2)
        assert watcher.mail == [Exited(pid, KILLED), Down(ref, pid, KILLED)]
        assert whereis("stubborn") is None
        assert zombies == [{"pid": pid, "reason": KILLED}]
        assert runtime.statistics().zombies == 1
        pid.send("dropped")
        assert pid.statistics().length == 0
        await trio.sleep(60)
        assert runtime.statistics().zombies == 0
        assert len(watcher.mail) == 2


async def test_TM10_a_process_that_ends_in_time_is_no_zombie(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        pid = spawn(stubborn, 3)
        await settle()
        with emitted(events.zombie) as zombies:
            pid.exit(KILL)
            pid.exit(KILL)
            assert await runtime.ended(pid) == KILLED
            assert trio.current_time() == 3
            assert runtime.statistics().timers == 0
            await trio.sleep(10)
        assert zombies == []


async def test_TM7_other_signals_than_kill_leave_a_shield_its_time(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        pid = spawn(stubborn, 60)
        await settle()
        pid.exit(SHUTDOWN)
        assert await runtime.ended(pid) == SHUTDOWN
        assert trio.current_time() == 60


async def test_P15_TM10_a_kill_ends_the_patience_with_one_who_ends_slowly(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        pid = spawn(stubborn, 60)
        await settle()
        pid.exit(SHUTDOWN)
        await trio.sleep(10)
        pid.exit(KILL)
        assert await runtime.ended(pid) == SHUTDOWN
        assert trio.current_time() == 15


async def test_TM10_the_grace_can_be_chosen(autojump_clock: MockClock) -> None:
    for grace, expected in ((0.5, 0.5), (math.inf, 60)):
        begin = trio.current_time()
        async with open_runtime(kill_grace=grace) as runtime:
            pid = spawn(stubborn, 60)
            await settle()
            pid.exit(KILL)
            await runtime.ended(pid)
            assert trio.current_time() == begin + expected


async def test_TM10_S50_a_zombie_does_not_keep_the_others_from_being_stopped(autojump_clock: MockClock) -> None:
    order = Order()
    times: list[float] = []

    async def first() -> None:
        await order.slow("first")
        times.append(trio.current_time())

    async with open_runtime(stop_timeout=10):
        spawn(first)
        spawn(stubborn, 100)
        await settle()
    assert order.steps == []  # killed together, when the time was over
    assert times == []
    assert trio.current_time() == 100  # a block cannot be left before its tasks have ended


async def test_TM10_a_zombie_that_goes_on_finds_itself_dead(autojump_clock: MockClock) -> None:
    seen: list[object] = []

    async def body(friend: Pid) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(20)
            attempts = (lambda: link(friend), lambda: spawn(idle), lambda: register("zombie"), trap_exit)
            seen.extend(_failure(attempt) for attempt in attempts)
            try:
                await receive()
            except Exit as error:
                seen.append(error.reason)

    async with open_runtime():
        (friend,) = await actors(1)
        pid = spawn(body, friend.pid)
        await settle()
        pid.exit(KILL)
        await trio.sleep(30)
    assert seen == [KILLED] * 5
