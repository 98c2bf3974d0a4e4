"""A pause of the program takes no time from those of its own processes that have to end."""

from __future__ import annotations

import math
import threading
from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import DynamicSupervisor, GenServer, Supervisor
from phxactor.otp import supervisor_events as supervisors
from phxactor.runtime import (
    KILL,
    SHUTDOWN,
    Countdown,
    Pid,
    cleanup,
    counted,
    events,
    open_runtime,
    self_pid,
    spawn,
    trap_exit,
)
from phxactor.runtime import _hard_stop as hard_stop
from phxactor.runtime._countdown import LATE, SLICE
from tests.runtime.actors import emitted

PAUSE: Final = 100.0


async def pause(clock: MockClock) -> None:
    """Stop the program, as SIGSTOP does: no task runs meanwhile."""
    clock.jump(PAUSE)
    await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("seconds", [0, 0.2, 0.5, 3, 7.3])
async def test_without_a_pause_it_is_as_any_timer(seconds: float, autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        fired: list[float] = []
        Countdown(runtime.timers, seconds, lambda _: fired.append(trio.current_time()), None)
        never = Countdown(runtime.timers, math.inf, fired.append, -1.0)
        Countdown(runtime.timers, seconds, fired.append, -1.0).stop()
        await trio.sleep(20)
        never.stop()
    assert fired == [pytest.approx(seconds)]


@pytest.mark.parametrize("before", [0.0, 0.3, 1.0, 2.9])
async def test_a_pause_does_not_count_whenever_it_comes(before: float, autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        fired: list[float] = []
        Countdown(runtime.timers, 3, lambda _: fired.append(trio.current_time()), None)
        await trio.sleep(before)
        await pause(autojump_clock)
        await trio.sleep(20)
    assert PAUSE + 3 - SLICE <= fired[0] <= PAUSE + 3 + SLICE


async def test_a_program_that_is_always_late_comes_to_an_end_too(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        with counted(runtime.timers, 3):
            for _ in range(100):
                await trio.sleep(SLICE)
                autojump_clock.jump(2 * LATE)
        assert trio.current_time() < 12


async def takes(seconds: float) -> None:
    """Take so long to end."""
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(seconds)


@pytest.mark.parametrize("attempt", range(4))  # the order of tasks in one pass is random
async def test_TM10_a_killed_process_is_no_zombie_after_a_pause(attempt: int, autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        pid = spawn(takes, 3)
        await trio.sleep(1)
        with emitted(events.zombie) as zombies:
            pid.exit(KILL)
            await trio.sleep(1)
            await pause(autojump_clock)
            await runtime.ended(pid)
        assert zombies == []


class Slow(GenServer):
    """Takes two seconds to end."""

    async def init(self) -> None:
        trap_exit()

    async def terminate(self, reason: object) -> None:
        await trio.sleep(2)


async def one() -> Pid:
    spec = attrs.evolve(Slow.child_spec(), shutdown=3)
    return (await Supervisor.start_link([spec], strategy="one_for_one")).unwrap()


async def many() -> Pid:
    pid = (await DynamicSupervisor.start_link()).unwrap()
    for _ in range(3):
        (await DynamicSupervisor.start_child(pid, attrs.evolve(Slow.child_spec(), shutdown=3))).unwrap()
    return pid


@pytest.mark.parametrize("attempt", range(4))
@pytest.mark.parametrize("start", [one, many])
async def test_S51_D11_a_child_that_is_told_to_end_has_its_time_besides_a_pause(
    start: Callable[[], Awaitable[Pid]], attempt: int, autojump_clock: MockClock
) -> None:
    async with open_runtime() as runtime:
        trap_exit()
        pid = await start()
        with emitted(supervisors.shutdown_error) as told:
            pid.exit(SHUTDOWN)
            await trio.sleep(1)
            await pause(autojump_clock)
            await runtime.ended(pid)
        assert told == []


@pytest.mark.parametrize("attempt", range(4))
async def test_S50_an_orderly_stop_has_its_time_besides_a_pause(attempt: int, autojump_clock: MockClock) -> None:
    ended: list[str] = []

    async def child() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with cleanup(10):
                await trio.sleep(2)
                ended.append("in order")

    async def stop_meanwhile() -> None:
        await trio.sleep(2)
        autojump_clock.jump(PAUSE)

    async with trio.open_nursery() as nursery, open_runtime(stop_timeout=3):
        self_pid().runtime.spawn(child, link=True)
        await trio.sleep(1)
        nursery.start_soon(stop_meanwhile)
    assert ended == ["in order"]


def test_the_end_by_force_comes_in_time_and_not_because_of_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that ends the program is stopped together with it: the clock goes on, and its wait does not."""
    now = 0.0
    steps: list[float] = []

    class Ended(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            nonlocal now
            steps.append(timeout or 0)
            now += (timeout or 0) + (PAUSE if len(steps) == 2 else 0)
            return False

    stop = hard_stop.HardStop()
    monkeypatch.setattr(hard_stop, "monotonic", lambda: now)
    monkeypatch.setattr(stop, "_ended", Ended())
    monkeypatch.setattr(stop, "now", lambda _: steps.append(-1))
    stop.arm(2)
    stop.ended()
    assert steps == [SLICE] * 5 + [-1]
