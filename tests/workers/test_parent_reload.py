"""What the parent's process does with reloads, and with what happens meanwhile, in virtual time."""

from __future__ import annotations

import signal

import pytest
import trio
from trio.testing import MockClock

from phxactor.testing import settle
from phxactor.workers import events
from tests.runtime.actors import emitted
from tests.workers.stand_ins import parent

KILLED = -signal.SIGKILL


async def test_a_reload_begins_with_one_and_ends_when_all_are_ready(
    monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    async with parent(monkeypatch) as it:
        await it.all_ready(1, 2)
        await it.reload()
        assert it.living() == [(1, 1), (1, 2), (2, 1)]
        it.last(2, 1).be_ready()
        await settle()
        assert not any(it.last(1, number).is_told for number in (1, 2))
        it.last(2, 2).be_ready()
        await settle()
        assert all(it.last(1, number).is_told for number in (1, 2))
        state = await it.state()
        assert (state.phase, state.generation) == ("serving", 2)
        assert [one.state for one in state.workers] == ["draining", "ready", "draining", "ready"]


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("was_ready", [False, True])
async def test_a_reload_whose_worker_ends_leaves_the_old_ones(
    number: int, was_ready: bool, monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    async with parent(monkeypatch) as it:
        await it.all_ready(1, 2)
        await it.reload()
        if number == 2:
            it.last(2, 1).be_ready()
            await settle()
        if was_ready and number == 1:
            it.last(2, 1).be_ready()
            await settle()
        with emitted(events.reload_failed) as told:
            it.last(2, number).end(1)
            await settle()
        assert [(one["number"], one["status"]) for one in told] == [(number, 1)]
        assert all(one.is_told for one in it.started[2:] if one.lives)
        assert not any(one.is_told for one in it.started[:2])
        for one in it.started[2:]:
            one.end()
        await settle()
        state = await it.state()
        assert (state.phase, state.generation) == ("serving", 1)
        assert it.living() == [(1, 1), (1, 2)]
        await it.reload()  # with what has been mended
        await it.all_ready(3, 2)
        assert (await it.state()).generation == 3


async def test_reloads_during_a_reload_are_one_more_after_it(
    monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    async with parent(monkeypatch) as it:
        await it.all_ready(1, 2)
        for _ in range(3):
            await it.reload()
        assert it.living() == [(1, 1), (1, 2), (2, 1)]
        await it.all_ready(2, 2)
        assert (await it.state()).phase == "reloading"
        assert all(it.last(1, number).is_told for number in (1, 2))
        await it.all_ready(3, 2)
        state = await it.state()
        assert (state.phase, state.generation) == ("serving", 3)
        assert all(it.last(2, number).is_told for number in (1, 2))


async def test_a_reload_during_one_that_fails_is_tried_too(
    monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    async with parent(monkeypatch) as it:
        await it.all_ready(1, 2)
        await it.reload()
        await it.reload()
        it.last(2, 1).end(1)
        await settle()
        await it.all_ready(3, 2)
        assert (await it.state()).generation == 3


async def test_a_reload_during_the_start_comes_after_it(
    monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    async with parent(monkeypatch) as it:
        await it.reload()
        await it.all_ready(1, 2)
        await it.all_ready(2, 2)
        assert (await it.state()).generation == 2


async def test_an_old_worker_that_ends_during_a_reload_is_started_again_until_the_new_ones_serve(
    monkeypatch: pytest.MonkeyPatch,
    virtual_time: MockClock,
) -> None:
    async with parent(monkeypatch) as it:
        await it.all_ready(1, 2)
        await it.reload()
        it.last(1, 2).end(KILLED)
        await settle()
        assert it.living() == [(1, 1), (1, 2), (2, 1)]
        await it.all_ready(2, 2)
        assert it.last(1, 2).is_told


async def test_a_worker_that_dies_while_it_drains_has_left(
    monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    async with parent(monkeypatch) as it:
        await it.all_ready(1, 2)
        await it.reload()
        await it.all_ready(2, 2)
        with emitted(events.left) as left, emitted(events.ended) as ended:
            it.last(1, 1).end(KILLED)
            await settle()
        assert ([one["number"] for one in left], ended) == ([1], [])
        assert it.living() == [(1, 2), (2, 1), (2, 2)]


async def test_with_many_workers_that_drain_a_new_one_waits_for_a_place(
    monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    async with parent(monkeypatch, 1) as it:
        await it.all_ready(1, 1)
        for generation in range(2, 9):
            await it.reload()
            await it.all_ready(generation, 1)
        assert len(it.living()) == 8  # of 8 places
        await it.reload()
        assert len(it.living()) == 8
        it.last(1, 1).end()
        await trio.sleep(1.1)
        assert it.living()[-1] == (9, 1)


async def test_a_stop_during_a_reload_ends_all_of_both_generations(
    monkeypatch: pytest.MonkeyPatch,
    virtual_time: MockClock,
) -> None:
    async with parent(monkeypatch) as it:
        await it.all_ready(1, 2)
        await it.reload()
        it.last(2, 1).greet()
        await settle()
        await it.stop()
        assert all(one.is_told for one in it.started)
        assert len(it.started) == 3
        it.last(2, 1).end()
        it.last(1, 1).end(KILLED)  # none is started again
        await it.live(100)
        assert it.living() == [(1, 2)]
        assert it.root.alive  # it waits for one that does not end
        it.last(1, 2).end()
        await settle()
        assert not it.root.alive
