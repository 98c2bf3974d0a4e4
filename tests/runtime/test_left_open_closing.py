"""How what a process leaves open is closed: what that raises, who does it, and each kind of process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import GenServer, Reply, Supervisor, Task
from phxactor.runtime import (
    KILL,
    NORMAL,
    SHUTDOWN,
    Crash,
    Exit,
    events,
    open_runtime,
    receive,
    self_pid,
    spawn,
    trap_exit,
)
from phxactor.runtime import _left_open as left_open
from phxactor.runtime._generators import open_scopes
from phxactor.testing import settle
from tests.runtime import leaving_open
from tests.runtime.actors import actors, emitted
from tests.runtime.leaving_open import LEFTOVERS, Leftover
from tests.runtime.leftovers import no_deadline_is_left, obey


@pytest.mark.parametrize("own", ["raises", "killed", "exits", "returns"])
async def test_what_the_closing_raises_is_told_once(own: str) -> None:
    async def numbers() -> AsyncIterator[int]:
        try:
            with trio.CancelScope():
                yield 1
        finally:
            raise ValueError("closing")

    async def body() -> None:
        async for _ in numbers():
            break
        if own == "raises":
            raise KeyError("own")
        if own == "exits":
            raise Exit("own")
        if own == "killed":
            await receive()

    async with open_runtime() as runtime:
        (other,) = await actors(1)
        with emitted(events.crashed) as crashes, emitted(events.cleanup_failed) as told:
            pid = spawn(body)
            await settle()
            pid.exit(KILL)
            await runtime.ended(pid)
        assert other.pid.alive
    assert (
        sorted([str(one["exception"]) for one in [*crashes, *told]])
        == {
            "raises": ["'own'", "closing"],
            "killed": ["closing"],
            "exits": ["closing"],
            "returns": ["closing"],
        }[own]
    )
    assert len(crashes) == (own in {"raises", "returns"})


async def lose_a_nursery(closed: list[str]) -> None:
    """Leave the outer of two nurseries first: trio takes the inner one off the task's list, and complains.

    The inner one is behind a shield, which keeps the cancellation of all else away.
    """
    outer = trio.open_nursery()
    await outer.__aenter__()
    trio.CancelScope(shield=True).__enter__()
    (await trio.open_nursery().__aenter__()).start_soon(leaving_open.task, closed)
    await trio.lowlevel.checkpoint()
    await outer.__aexit__(None, None, None)


async def test_a_nursery_that_trio_has_lost_is_closed_with_its_process() -> None:
    closed: list[str] = []
    async with open_runtime() as runtime:
        (other,) = await actors(1)
        pid = spawn(lose_a_nursery, closed)
        await runtime.ended(pid)
        assert isinstance(pid.exit_reason, Crash)
        assert "misnesting" in str(pid.exit_reason.exception)
        assert closed == ["task"]
        assert other.pid.alive


async def test_a_nursery_whose_loss_was_hidden_is_closed_with_the_runtime() -> None:
    closed: list[str] = []

    async def body() -> None:
        with suppress(AssertionError):
            await lose_a_nursery(closed)

    async with open_runtime() as runtime:
        await runtime.ended(spawn(body))
    assert closed == ["task"]


@pytest.mark.parametrize("leftover", [leaving_open.generator, leaving_open.generator_with_nursery])
async def test_however_much_is_left_each_generator_is_searched_once(
    leftover: Leftover, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client decides how much: searched at each level of the stack, 1,600 messages held everybody up for 7 s."""
    searched: list[object] = []

    def search(generator: AsyncGenerator[Any, Any]) -> set[trio.CancelScope] | None:
        searched.append(generator)
        return open_scopes(generator)

    async def body() -> None:
        for _ in range(50):
            await leftover([], [])
        monkeypatch.setattr(left_open, "open_scopes", search)

    async with open_runtime() as runtime:
        await runtime.ended(spawn(body))
    assert 50 <= len(searched) == len(set(map(id, searched)))


async def test_a_generator_that_refuses_to_end_ends_nobody() -> None:
    async def stubborn() -> AsyncIterator[int]:
        with trio.CancelScope():
            for _ in range(2):
                with suppress(GeneratorExit):
                    yield 1

    async def body() -> None:
        await anext(generator)

    generator = stubborn()
    async with open_runtime() as runtime:
        (other,) = await actors(1)
        pid = spawn(body)
        await runtime.ended(pid)
        assert isinstance(pid.exit_reason, Crash)
        assert "ignored GeneratorExit" in str(pid.exit_reason.exception)
        assert other.pid.alive
        assert [number async for number in generator] == []
    assert no_deadline_is_left()


async def test_a_generator_that_another_process_runs_is_left_to_it() -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            yield number
            await trio.lowlevel.checkpoint()

    generator = numbers()

    async def begins() -> None:
        await anext(generator)

    async def goes_on() -> None:
        seen.extend([number async for number in generator])

    seen: list[object] = []
    async with open_runtime() as runtime:
        spawn(begins)
        await trio.lowlevel.checkpoint()
        pid = spawn(goes_on)
        await runtime.ended(pid)
        assert pid.exit_reason == NORMAL


async def test_a_dropped_generator_without_scopes_is_closed_at_once_as_ever() -> None:
    closed: list[str] = []

    async def body() -> None:
        async for _ in leaving_open.plain(closed):
            break
        await receive()

    async with open_runtime():
        spawn(body)
        with pytest.warns(ResourceWarning, match="garbage collected before it"):
            await settle()
        assert closed == ["plain"]


@pytest.mark.allow_leaks("a zombie")
async def test_TM10_a_leftover_that_keeps_a_kill_away_is_a_zombie_after_a_grace(autojump_clock: MockClock) -> None:
    async def body() -> None:
        (await trio.open_nursery().__aenter__()).start_soon(shielded)

    async def shielded() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(20)

    async with open_runtime() as runtime:
        with emitted(events.zombie) as zombies:
            pid = spawn(body)
            await settle()
            pid.exit(KILL)
            await runtime.ended(pid)
            assert trio.current_time() == 5
        assert [zombie["pid"] for zombie in zombies] == [pid]
    assert trio.current_time() == 20


class Holder(GenServer):
    """Leaves something open in `init`, and does as it is told."""

    async def init(self, leftover: Leftover, closed: list[str], kept: list[object], trap: bool = False) -> None:
        trap_exit(trap)
        await leftover(closed, kept)

    async def handle_call(self, request: object, from_: object) -> Reply:
        return Reply("pong")

    async def handle_info(self, message: object) -> None:
        await obey(message)


@pytest.mark.parametrize("leftover", LEFTOVERS, ids=lambda leftover: leftover.__name__)
@pytest.mark.parametrize(
    ("why", "trap"), [(why, False) for why in ("return", "raise", "exit", "link", KILL, SHUTDOWN)] + [(SHUTDOWN, True)]
)
async def test_TM1_a_server_that_left_something_open_is_restarted_alone(
    leftover: Leftover, why: str, trap: bool
) -> None:
    closed: list[str] = []
    kept: list[object] = []
    async with open_runtime() as runtime:
        (other,) = await actors(1)
        spec = Holder.child_spec(leftover, closed, kept, trap, name="holder")
        (await Supervisor.start_link([spec])).unwrap()
        pid = runtime.names.whereis("holder")
        assert pid is not None
        if why in {KILL, SHUTDOWN}:
            pid.exit(why)
        else:
            pid.send(why)
        await runtime.ended(pid)
        await settle()
        again = runtime.names.whereis("holder")
        assert again is not None
        assert again is not pid
        assert again.alive
        assert other.pid.alive
    kept.clear()
    assert closed
    assert no_deadline_is_left()


@pytest.mark.parametrize("leftover", LEFTOVERS, ids=lambda leftover: leftover.__name__)
async def test_TM1_a_task_that_left_something_open_gives_its_result(leftover: Leftover) -> None:
    kept: list[object] = []

    async def work() -> str:
        await leftover([], kept)
        return "done"

    async with open_runtime():
        (other,) = await actors(1)
        assert await Task.async_(work) == "done"
        await settle()
        assert other.pid.alive
        assert self_pid().alive
