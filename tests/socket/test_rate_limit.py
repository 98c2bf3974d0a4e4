from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor import open_runtime
from phxactor.runtime import Pauses
from phxactor.runtime._pauses import CATCH_UP, MOST, SLICE
from phxactor.socket import RateLimit, rate_limit
from phxactor.socket._rate_limit import ABUSE

rates = st.floats(0.1, 1000)
gaps = st.lists(st.floats(0, 2), max_size=200)


def test_a_second_s_worth_at_once_and_then_as_time_goes_by() -> None:
    limit = RateLimit(5)
    assert [limit.take(100.0) for _ in range(6)] == [True] * 5 + [False]
    assert [limit.take(100.1), limit.take(100.25), limit.take(100.3)] == [False, True, False]
    assert [limit.take(200.0) for _ in range(6)] == [True] * 5 + [False]


def test_less_than_one_a_second() -> None:
    limit = RateLimit(0.5)
    assert [limit.take(second) for second in (0.0, 1.0, 1.9, 2.0, 3.0, 4.1)] == [True, False, False, True, False, True]


@given(rates, gaps)
def test_no_window_lets_more_through_than_is_said(rate: float, between: list[float]) -> None:
    limit, now = RateLimit(rate), 1000.0
    passed = []
    for gap in between:
        now += gap
        if limit.take(now):
            passed.append(now)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            allowed = max(1.0, rate) + rate * (passed[last] - passed[first])
            assert last - first + 1 <= allowed + 1e-3


@given(rates, st.integers(1, 100))
def test_who_keeps_to_it_is_never_refused(rate: float, count: int) -> None:
    limit = RateLimit(rate)
    assert all(limit.take(1000 + number * (1 / rate + 1e-9)) for number in range(count))
    assert limit.refused == 0


def test_abuse_is_ten_seconds_worth_without_a_rest() -> None:
    limit = RateLimit(10)
    now = 0.0
    while not limit.abused:
        now += 0.05  # twice as many as it may
        limit.take(now)
    assert now == pytest.approx(ABUSE + 1, abs=0.5)


@attrs.define
class Clock:
    now: float = 1000.0


@pytest.mark.parametrize("pause", [1.0, 4.0, MOST])
def test_what_was_sent_in_a_pause_is_read_at_once(pause: float) -> None:
    clock = Clock()
    limit = RateLimit(5, Pauses(lambda: clock.now))
    assert [limit.take(clock.now) for _ in range(6)] == [True] * 5 + [False]
    clock.now += pause
    in_time = round(5 * pause)
    assert [limit.take(clock.now) for _ in range(in_time + 1)] == [True] * in_time + [False]


def test_what_was_sent_in_a_pause_is_read_bit_by_bit() -> None:
    clock = Clock()
    limit = RateLimit(5, Pauses(lambda: clock.now))
    assert all(limit.take(clock.now) for _ in range(5))
    clock.now += 4
    passed = 0
    for _ in range(40):  # it is sent four a second, and read ten a second
        clock.now += 0.1
        passed += limit.take(clock.now)
    assert passed == 40


def test_a_pause_counts_once_and_not_for_ever() -> None:
    clock = Clock()
    pauses = Pauses(lambda: clock.now)
    limit = RateLimit(5, pauses)
    assert limit.take(clock.now)
    clock.now += 1000
    assert sum(limit.take(clock.now) for _ in range(1000)) == 5 * MOST + 5
    clock.now += 1000.0
    assert limit.take(clock.now)  # what is left of this pause is not used
    while clock.now < 3000 + CATCH_UP:
        clock.now += SLICE
        pauses.look()
    assert sum(limit.take(clock.now) for _ in range(1000)) == 5


def test_a_program_that_is_always_late_keeps_the_limit() -> None:
    clock = Clock()
    limit = RateLimit(5, Pauses(lambda: clock.now))
    passed = 0
    for _ in range(100):
        clock.now += 2
        passed += sum(limit.take(clock.now) for _ in range(100))
    assert passed <= 5 * (200 + MOST + 1)


def test_a_rest_is_forgiven() -> None:
    limit = RateLimit(10)
    for second in range(100):
        for _ in range(20):
            limit.take(second * 2.0)
        assert limit.refused == 10
        assert not limit.abused


@given(rates, gaps)
def test_what_is_owed_is_waited_for(rate: float, between: list[float]) -> None:
    limit, now, begin = RateLimit(rate), 1000.0, 1000.0
    for count, gap in enumerate(between, 1):
        now += gap
        limit.owe(now)
        now += limit.delay(now)
        assert count <= max(1.0, rate) + rate * (now - begin) + 1e-3


async def test_no_limit() -> None:
    """Nor does anybody look for pauses."""
    async with open_runtime() as runtime:
        assert rate_limit(None, runtime) is None
        assert "pauses" not in vars(runtime)
