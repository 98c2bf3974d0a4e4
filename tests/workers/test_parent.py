"""What the parent's process does with each thing that happens, in virtual time: no real worker is started."""

from __future__ import annotations

import signal
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from phxactor.cluster.carriers.workers import Beat, Gone, LineLost, Peer
from phxactor.runtime import send
from phxactor.testing import settle
from phxactor.workers import NAME, events
from phxactor.workers._plan import Failure
from phxactor.workers._stack import SIGNAL
from tests.runtime.actors import emitted
from tests.workers.stand_ins import parent

KILLED = -signal.SIGKILL


# ---------------------------------------------------------------------------------------------------- the start


async def test_the_first_starts_alone_and_the_others_at_once(
    monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    async with parent(monkeypatch, 3) as it:
        assert it.living() == [(1, 1)]
        it.last(1, 1).be_ready()
        await settle()
        assert it.living() == [(1, 1), (1, 2), (1, 3)]
        assert (await it.state()).phase == "starting"
        it.last(1, 3).be_ready()
        it.last(1, 2).be_ready()
        await settle()
        state = await it.state()
        assert (state.phase, state.generation) == ("serving", 1)
        assert [(one.number, one.state) for one in state.workers] == [(1, "ready"), (2, "ready"), (3, "ready")]


@pytest.mark.parametrize("number", [1, 2])
async def test_a_worker_that_ends_before_it_is_ready_ends_the_start(
    number: int, monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    async with parent(monkeypatch) as it:
        if number == 2:
            it.last(1, 1).be_ready()
            await settle()
        it.last(1, number).end(3)
        assert await it.failure() == Failure(3)  # it has said why
        assert (await it.state()).phase == "stopping"


async def test_one_that_was_killed_before_it_was_ready_could_not_say_why(
    monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    async with parent(monkeypatch) as it:
        it.last(1, 1).end(KILLED)
        assert await it.failure() == Failure(KILLED, "worker 1 was killed by SIGKILL before it was ready")


async def test_one_that_was_ready_and_is_killed_before_the_others_are_is_started_again(
    monkeypatch: pytest.MonkeyPatch,
    virtual_time: MockClock,
) -> None:
    """It has shown that the program can start, and serves already."""
    async with parent(monkeypatch, 3) as it:
        it.last(1, 1).be_ready()
        await settle()
        with emitted(events.ended) as told:
            it.last(1, 1).end(KILLED)
            await settle()
        assert [(one["number"], one["seconds"]) for one in told] == [(1, 0.0)]
        assert [one.name for one in it.started] == [(1, 1), (1, 2), (1, 3), (1, 1)]
        for number in (1, 2, 3):
            it.last(1, number).be_ready()
        await settle()
        assert (await it.state()).phase == "serving"
        assert [one.name for one in it.started] == [(1, 1), (1, 2), (1, 3), (1, 1)]


# ------------------------------------------------------------------------------------------------- the restarts


async def test_all_that_are_killed_at_once_start_at_once(
    monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    """None waits for another one, in no time, and so often in a row as the intensity allows."""
    async with parent(monkeypatch, 4) as it:
        await it.all_ready(1, 4)
        for _ in range(10):
            before, now = len(it.started), trio.current_time()
            for number in range(1, 5):
                it.last(1, number).end(KILLED)
            await trio.lowlevel.checkpoint()
            await settle()
            assert len(it.started) == before + 4
            assert trio.current_time() == now
            for number in range(1, 5):
                it.last(1, number).be_ready()
            await settle()
        assert [one.restarts for one in (await it.state()).workers] == [10] * 4


async def test_too_many_ends_end_the_parent_and_the_same_over_an_hour_do_not(
    monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    async with parent(monkeypatch) as it:
        await it.all_ready(1, 2)
        for pause in (70, 0):
            for _ in range(30):
                it.last(1, 1).end(KILLED)
                await settle()
                it.last(1, 1).be_ready()
                await it.live(pause)
        assert (await it.state()).phase == "serving"
        with emitted(events.gave_up) as told:
            it.last(1, 1).end(KILLED)
            assert await it.failure() == Failure(1)
        assert told[0]["why"] == "workers ended 31 times within 60 s"


async def test_the_others_are_told_of_an_end_and_of_the_successor(
    monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    async with parent(monkeypatch, 3) as it:
        await it.all_ready(1, 3)
        dead = it.last(1, 2)
        dead.end(KILLED)
        await settle()
        for number in (1, 3):
            assert it.last(1, number).came[-1] == Gone(node=dead.pid.to_bytes(16, "big"))
        it.last(1, 2).be_ready()
        await settle()
        for number in (1, 3):
            assert type(it.last(1, number).came[-1]).__name__ == "Peer"


async def test_a_line_that_broke_is_made_anew_once_though_both_ends_ask(
    monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    """A second new line would replace the first one, on which something may have been said."""
    async with parent(monkeypatch) as it:
        await it.all_ready(1, 2)
        one, two = it.last(1, 1), it.last(1, 2)

        async def ask() -> tuple[int, int]:
            for member, other in ((one, two), (two, one)):
                member.came.clear()
                member.say(LineLost(node=other.pid.to_bytes(16, "big")))
            await settle()
            first, second = ([type(message) for message in member.came].count(Peer) for member in (one, two))
            return first, second

        await trio.sleep(1)
        assert await ask() == (1, 1)
        await trio.sleep(0.9)
        assert await ask() == (0, 0), "they ask about the line before"
        await trio.sleep(0.1)
        assert await ask() == (1, 1), "the new one broke at once"


async def test_one_that_cannot_start_again_is_tried_less_and_less_often_until_none_serves(
    monkeypatch: pytest.MonkeyPatch,
    virtual_time: MockClock,
) -> None:
    async with parent(monkeypatch) as it:
        await it.all_ready(1, 2)
        it.last(1, 1).end(KILLED)
        await settle()
        times = []
        for _ in range(8):
            times.append(trio.current_time())
            count = len(it.started)
            it.last(1, 1).end(1)
            while len(it.started) == count:  # noqa: ASYNC110 - the time is virtual
                await trio.sleep(0.05)
        pauses = [later - sooner for sooner, later in pairwise(times)]
        assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0], abs=0.11)
        it.last(1, 2).end(KILLED)  # the only one that serves
        await settle()
        it.last(1, 1).end(1)
        assert await it.failure() == Failure(1)


# ---------------------------------------------------------------------------------------------- one that hangs


async def test_one_that_is_silent_is_asked_where_it_is_and_killed(
    monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    async with parent(monkeypatch) as it:
        await it.all_ready(1, 2)
        silent, other = it.last(1, 1), it.last(1, 2)
        with emitted(events.hung) as told:
            for _ in range(34):
                other.say(Beat(state="ready"))
                await trio.sleep(1)
        assert silent.signals == [SIGNAL, signal.SIGKILL]
        assert other.signals == []
        assert [(one["number"], one["process"]) for one in told] == [(1, silent.pid)]
        assert it.last(1, 1) is not silent


async def test_a_parent_that_was_stopped_itself_judges_nobody(
    monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    async with parent(monkeypatch) as it:
        await it.all_ready(1, 2)
        await trio.sleep(20)
        virtual_time.jump(300)
        await trio.sleep(25)
        assert [one.signals for one in it.started] == [[], []]
        await trio.sleep(15)
        assert [one.signals[:1] for one in it.started[:2]] == [[SIGNAL], [SIGNAL]]


async def test_in_development_a_debugger_may_stop_it(monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock) -> None:
    async with parent(monkeypatch, 1, watched=["."]) as it:
        await it.all_ready(1, 1)
        await trio.sleep(1000)
        assert it.last(1, 1).signals == []


# ----------------------------------------------------------------------------------------------------- the stop


async def test_a_stop_while_a_worker_waits_to_be_started_again_starts_none(
    monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    async with parent(monkeypatch) as it:
        await it.all_ready(1, 2)
        it.last(1, 1).end(KILLED)
        await settle()
        it.last(1, 1).end(1)
        send(NAME, "stop")
        await trio.sleep(10)
        assert it.living() == [(1, 2)]


async def test_a_start_that_fails_in_development_waits_for_a_change(
    monkeypatch: pytest.MonkeyPatch, virtual_time: MockClock
) -> None:
    async with parent(monkeypatch, watched=["."]) as it:
        with emitted(events.waiting) as told:
            it.last(1, 1).end(1)
            await settle()
        assert [one["status"] for one in told] == [1]
        await it.reload()
        await it.all_ready(2, 2)
        state = await it.state()
        assert (state.phase, state.generation) == ("serving", 2)
