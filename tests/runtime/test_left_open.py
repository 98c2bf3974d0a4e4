"""What a process leaves open is closed at its end, and is nobody else's affair: every leftover x every way to end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
import trio
from trio.testing import MockClock

from phxactor.runtime import (
    KILL,
    KILLED,
    NORMAL,
    SHUTDOWN,
    Crash,
    Pid,
    Reason,
    events,
    open_runtime,
    receive,
    spawn,
)
from phxactor.testing import settle
from tests.runtime import leaving_open
from tests.runtime.actors import actors, emitted
from tests.runtime.leaving_open import LEFTOVERS, Leftover
from tests.runtime.leftovers import no_deadline_is_left, obey

Ending: TypeAlias = Callable[[Pid], Awaitable[object]]


async def told_to_return(pid: Pid) -> None:
    pid.send("return")


async def told_to_raise(pid: Pid) -> None:
    pid.send("raise")


async def told_to_exit(pid: Pid) -> None:
    pid.send("exit")


async def shut_down(pid: Pid) -> None:
    pid.exit(SHUTDOWN)


async def killed(pid: Pid) -> None:
    pid.exit(KILL)


async def trapping(pid: Pid) -> None:
    pid.send("trap")
    await settle()
    pid.exit(SHUTDOWN)


async def linked(pid: Pid) -> None:
    pid.send("link")


ENDINGS: dict[Ending, Reason] = {
    told_to_return: NORMAL,
    told_to_raise: "crash",
    told_to_exit: "because",
    shut_down: SHUTDOWN,
    killed: KILLED,
    trapping: NORMAL,
    linked: "a link",
}


async def leaves(leftover: Leftover, closed: list[str], kept: list[object]) -> None:
    """Leave something open, and end as told."""
    await leftover(closed, kept)
    closed.append("listening")
    while True:
        await obey(await receive())


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__)
@pytest.mark.parametrize("leftover", LEFTOVERS, ids=lambda leftover: leftover.__name__)
async def test_TM1_a_process_takes_what_it_left_open_with_it(
    leftover: Leftover, ending: Ending, autojump_clock: MockClock
) -> None:
    closed: list[str] = []
    kept: list[object] = []
    async with open_runtime() as runtime:
        (other,) = await actors(1)
        before = trio.lowlevel.current_statistics().tasks_living
        with emitted(events.crashed) as crashes, emitted(events.cleanup_failed) as told:
            pid = spawn(leaves, leftover, closed, kept)
            await settle()
            assert closed[-1] == "listening"
            await ending(pid)
            await runtime.ended(pid)
            await settle()
        assert trio.current_time() == 0, "nothing was waited for"
        expected = ENDINGS[ending]
        if expected == "crash":
            assert isinstance(pid.exit_reason, Crash)
            assert [str(crash["exception"]) for crash in crashes] == ["told to"]
        else:
            assert pid.exit_reason == expected
            assert crashes == []
        assert told == []
        assert other.pid.alive
        assert await other.do(lambda: "lives") == "lives"
        assert trio.lowlevel.current_statistics().tasks_living == before, "no task is left"
        assert no_deadline_is_left()
        assert len(closed) > 1, "its cleanup has run"
        kept.clear()
        await settle()
        assert other.pid.alive


@pytest.mark.parametrize("leftover", LEFTOVERS, ids=lambda leftover: leftover.__name__)
async def test_TM1_main_closes_what_its_block_left_open(leftover: Leftover) -> None:
    closed: list[str] = []
    kept: list[object] = []
    with trio.CancelScope() as around:
        async with open_runtime():
            spawn(trio.sleep_forever)
            await leftover(closed, kept)
        await trio.lowlevel.checkpoint()
        kept.clear()
    assert not around.cancelled_caught
    assert closed
    assert no_deadline_is_left()


@pytest.mark.parametrize("leftover", LEFTOVERS, ids=lambda leftover: leftover.__name__)
async def test_TM1_what_the_block_of_main_raises_comes_out_unchanged(leftover: Leftover) -> None:
    kept: list[object] = []

    async def program() -> None:
        async with open_runtime():
            await leftover([], kept)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await program()
    kept.clear()


async def test_TM1_a_process_that_leaves_its_own_scope_ends_alone() -> None:
    closed: list[str] = []
    async with open_runtime() as runtime:
        (other,) = await actors(1)
        for leftover in (leaving_open.scope_of_its_process, leaving_open.scope_that_a_subtask_left):
            for ending in (told_to_return, told_to_raise, told_to_exit):
                pid = spawn(leaves, leftover, closed, [])
                await settle()
                await ending(pid)
                await runtime.ended(pid)
        assert other.pid.alive


async def test_they_are_closed_in_order_the_innermost_first() -> None:
    closed: list[str] = []
    async with open_runtime() as runtime:
        await runtime.ended(spawn(leaving_open.exit_stack, closed, []))
        assert [name for name in closed if "task" not in name] == ["second", "first"]
        closed.clear()
        await runtime.ended(spawn(leaving_open.nurseries_and_scopes, closed, []))
        assert sorted(closed) == ["inner", "outer"]


async def raises() -> None:
    raise ValueError("in a task")


async def test_what_a_task_of_an_open_nursery_raised_is_why_its_process_ended() -> None:
    async def body() -> None:
        (await trio.open_nursery().__aenter__()).start_soon(raises)
        await trio.sleep_forever()

    async with open_runtime() as runtime:
        with emitted(events.crashed) as crashes, emitted(events.cleanup_failed) as told:
            pid = spawn(body)
            await runtime.ended(pid)
    assert isinstance(pid.exit_reason, Crash)
    assert isinstance(pid.exit_reason.exception, ValueError)
    assert (len(crashes), told) == (1, [])
