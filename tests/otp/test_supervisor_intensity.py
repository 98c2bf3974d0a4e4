"""Restart intensity: S40 to S47, the decision alone and with a supervisor around it."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from phxactor.otp import Intensity, Supervisor, child_spec
from phxactor.runtime import NORMAL, SHUTDOWN, Exited, receive

from .supervision import REFUSED, Log, crash, pids, simulate, supervised, worker


def survives(intensity: Intensity, *times: float) -> list[bool]:
    return [intensity.restart(time) for time in times]


def test_S41_the_fourth_restart_within_five_seconds_is_one_too_many() -> None:
    assert survives(Intensity(3, 5), 0.0, 1.0, 2.0, 3.0) == [True, True, True, False]


def test_S42_without_restarts_the_first_is_one_too_many() -> None:
    assert survives(Intensity(0, 5), 7.0) == [False]


def test_S44_a_restart_counts_until_its_whole_second_is_more_than_max_seconds_back() -> None:
    assert survives(Intensity(1, 5), 1.9, 6.99) == [True, False]  # in the seconds 1 and 6
    assert survives(Intensity(1, 5), 1.0, 6.99) == [True, False]  # 5.99 seconds apart
    assert survives(Intensity(1, 5), 1.9, 7.0) == [True, True]  # 5.1 seconds apart
    assert survives(Intensity(1, 1), 0.0, 2.0) == [True, True]


def test_used_forgets_what_matters_no_more() -> None:
    intensity = Intensity(10, 5)
    survives(intensity, 0.0, 3.0)
    assert [intensity.used(now) for now in (3.0, 5.9, 6.0, 9.0)] == [2, 2, 1, 0]


@pytest.mark.parametrize(("max_restarts", "max_seconds"), [(-1, 5), (1.5, 5), (True, 5), (3, 0), (3, -1), (3, 0.5)])
def test_S5_limits_are_whole_numbers_that_make_sense(max_restarts: int, max_seconds: int) -> None:
    with pytest.raises((TypeError, ValueError), match=r"max_(restarts|seconds) must be a whole number"):
        Intensity(max_restarts, max_seconds)


@given(st.integers(0, 4), st.integers(1, 6), st.lists(st.floats(0, 3, width=16), max_size=30))
def test_S40_S43_S44_intensity_agrees_with_counting_all_restarts_anew(
    max_restarts: int, max_seconds: int, pauses: list[float]
) -> None:
    intensity, now, past = Intensity(max_restarts, max_seconds), 0.0, []
    for pause in pauses:
        now += pause
        past.append(int(now))
        counted = sum(int(now) - second <= max_seconds for second in past)
        assert intensity.restart(now) == (counted <= max_restarts)


# ------------------------------------------------------------------------------------------ with a supervisor


async def test_S40_too_many_restarts_end_the_supervisor_and_its_children(log: Log, autojump_clock: MockClock) -> None:
    async with supervised(worker(log, "a"), worker(log, "b"), worker(log, "c"), max_restarts=1) as supervisor:
        await crash(log, "b")
        assert supervisor.alive
        log.take()
        await crash(log, "b")
        assert await receive() == Exited(supervisor, SHUTDOWN)
        assert log.ids("end") == ["b", "c", "a"]


async def test_S41_with_the_defaults_the_fourth_crash_is_fatal_and_nothing_starts_a_fifth_time(
    log: Log, autojump_clock: MockClock
) -> None:
    async with supervised(worker(log, "a")) as supervisor:
        for _ in range(4):
            await crash(log, "a")
        assert not supervisor.alive
        assert log.starts["a"] == 4


async def test_S42_max_restarts_0_makes_the_first_crash_fatal(log: Log, autojump_clock: MockClock) -> None:
    async with supervised(worker(log, "a"), max_restarts=0) as supervisor:
        await crash(log, "a")
        assert not supervisor.alive


async def test_S43_there_is_one_counter_for_all_children(log: Log, autojump_clock: MockClock) -> None:
    async with supervised(worker(log, "a"), worker(log, "b"), max_restarts=2) as supervisor:
        await crash(log, "a", "b")
        await crash(log, "a")
        assert not supervisor.alive


async def test_S43_the_restart_of_a_group_counts_once(log: Log, autojump_clock: MockClock) -> None:
    children = [worker(log, id_) for id_ in "abcdef"]
    async with supervised(*children, strategy="one_for_all", max_restarts=1) as supervisor:
        await crash(log, "a")
        assert supervisor.alive
        assert Supervisor.statistics(supervisor).restarts == 1


async def test_S44_crashes_that_are_far_enough_apart_never_add_up(log: Log, autojump_clock: MockClock) -> None:
    async with supervised(worker(log, "a"), max_restarts=1, max_seconds=5) as supervisor:
        for _ in range(10):
            await crash(log, "a")
            await trio.sleep(6)
        assert supervisor.alive
        await crash(log, "a")
        await trio.sleep(5)
        await crash(log, "a")
        assert not supervisor.alive


@pytest.mark.parametrize(("restart", "again"), [("transient", False), ("permanent", True)])
async def test_S45_a_transient_supervisor_that_gave_up_is_not_started_again(
    restart: str, again: bool, log: Log, autojump_clock: MockClock
) -> None:
    inner = Supervisor.child_spec([worker(log, "a")], max_restarts=0)
    async with supervised(child_spec(inner, id="inner", restart=restart)) as outer:
        await crash(log, "a")
        assert outer.alive
        assert ((await pids(outer))["inner"] is not None) is again


async def test_S46_ends_that_restart_nothing_never_count(log: Log, autojump_clock: MockClock) -> None:
    children = [worker(log, "t", restart="transient"), worker(log, "tmp", restart="temporary")]
    async with supervised(*children, max_restarts=0) as supervisor:
        await crash(log, "t", reason=NORMAL)
        await crash(log, "tmp", reason="boom")
        assert supervisor.alive
        assert Supervisor.statistics(supervisor).restarts == 0


async def test_S47_what_is_done_by_hand_never_counts(log: Log, autojump_clock: MockClock) -> None:
    async with supervised(worker(log, "a"), max_restarts=0) as supervisor:
        for _ in range(3):
            await Supervisor.terminate_child(supervisor, "a")
            (await Supervisor.restart_child(supervisor, "a")).unwrap()
        (await Supervisor.start_child(supervisor, worker(log, "b"))).unwrap()
        assert Supervisor.statistics(supervisor).restarts == 0


async def test_S32_every_attempt_to_start_a_child_again_counts(log: Log, autojump_clock: MockClock) -> None:
    async with supervised(worker(log, "a", plan=["ok", REFUSED]), max_restarts=3) as supervisor:
        await crash(log, "a")
        assert not supervisor.alive
        assert log.starts["a"] == 1 + 3


@settings(deadline=None)
@given(st.integers(0, 3), st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3000)), max_size=12))
def test_S40_S43_random_crashes_end_a_supervisor_when_the_model_says_so(
    max_restarts: int, crashes: list[tuple[str, int]]
) -> None:
    async def body() -> None:
        log, past = Log(), list[int]()
        async with supervised(*(worker(log, id_) for id_ in "abc"), max_restarts=max_restarts) as supervisor:
            for id_, pause in crashes:
                await trio.sleep(pause / 1000)
                await crash(log, id_)
                past.append(int(trio.current_time()))
                assert supervisor.alive is (sum(past[-1] - second <= 5 for second in past) <= max_restarts)
                if not supervisor.alive:
                    assert all(not pid.alive for pid in log.pids.values())
                    break

    simulate(body)
