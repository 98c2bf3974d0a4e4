"""TM6, TM7: cleaning up with `await` while ending: signals wait for it, a kill does not."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from phxactor.runtime import KILL, KILLED, SHUTDOWN, NotAProcessError, Pid, cleanup, open_runtime, spawn
from phxactor.testing import settle


async def ended_at(pid: Pid) -> tuple[float, object]:
    start = trio.current_time()
    reason = await pid.runtime.ended(pid)
    return trio.current_time() - start, reason


async def _polite(log: list[str], seconds: float, work: float) -> None:
    try:
        await trio.sleep_forever()
    finally:
        with cleanup(seconds):
            await trio.sleep(work)
            log.append("cleaned")


async def test_TM6_cleanup_may_wait_after_a_fatal_signal(autojump_clock: MockClock) -> None:
    log: list[str] = []
    async with open_runtime():
        pid = spawn(_polite, log, 10.0, 2.0)
        await settle()
        pid.exit(SHUTDOWN)
        assert await ended_at(pid) == (2.0, SHUTDOWN)
    assert log == ["cleaned"]


async def test_TM6_cleanup_has_its_time_and_no_more(autojump_clock: MockClock) -> None:
    log: list[str] = []
    async with open_runtime():
        pid = spawn(_polite, log, 1.0, 2.0)
        await settle()
        pid.exit("boom")
        assert await ended_at(pid) == (1.0, "boom")
    assert log == []


async def test_TM7_a_kill_ends_a_cleanup(autojump_clock: MockClock) -> None:
    log: list[str] = []
    async with open_runtime() as runtime:
        pid = spawn(_polite, log, 10.0, 5.0)
        await settle()
        pid.exit(SHUTDOWN)
        await trio.sleep(1.0)
        pid.exit(KILL)
        assert await ended_at(pid) == (0.0, SHUTDOWN)  # the first reason stands (P15)
        assert runtime.cleanups == {}
    assert log == []


async def test_TM7_a_killed_process_has_no_cleanup(autojump_clock: MockClock) -> None:
    log: list[str] = []
    async with open_runtime():
        pid = spawn(_polite, log, 10.0, 5.0)
        await settle()
        pid.exit(KILL)
        assert await ended_at(pid) == (0.0, KILLED)
    assert log == []


async def test_TM7_a_kill_ends_cleanups_in_one_another(autojump_clock: MockClock) -> None:
    async def nested() -> None:
        with cleanup(10.0), cleanup(10.0):
            await trio.sleep_forever()

    async with open_runtime() as runtime:
        pid = spawn(nested)
        await settle()
        pid.exit(SHUTDOWN)
        pid.exit(KILL)
        assert await ended_at(pid) == (0.0, SHUTDOWN)
        assert runtime.cleanups == {}


async def test_cleanup_is_for_processes() -> None:
    with pytest.raises(NotAProcessError), cleanup(1.0):
        pass
