"""How many lines are written of all, and of one kind; what is left out is counted to the last."""

from __future__ import annotations

import logging
import math

from hypothesis import given
from hypothesis import strategies as st

from phxactor.telemetry._log_limits import BURST, FEW, KINDS, MANY, SECOND, WHILE, Kind, LogLimits, Report

CRASH = Kind("phxactor.channel.crashed", logging.ERROR, (ValueError, "chat.py", 7))
OTHER = Kind("phxactor.channel.crashed", logging.ERROR, (ValueError, "chat.py", 8))
WARNING = Kind("phxactor.transport.bad_input", logging.WARNING, None)
JOINED = Kind("phxactor.channel.joined", logging.INFO, None, follows=True)


def test_one_failure_is_written_a_few_times_and_then_counted() -> None:
    limits = LogLimits()
    assert [limits.allow(CRASH, 100 + n / 100) for n in range(FEW + 5)] == [True] * FEW + [False] * 5
    limits.wrote(CRASH, "Room of 'room:1' crashed")
    assert limits.allow(OTHER, 101)
    assert limits.due(100 + WHILE - 0.1) == []
    assert limits.next_due() == 100 + WHILE
    assert limits.due(100 + WHILE) == [Report(5, CRASH, "Room of 'room:1' crashed")]
    assert limits.due(100 + WHILE) == []
    assert limits.allow(CRASH, 200)


def test_a_line_after_its_time_ends_the_count() -> None:
    limits = LogLimits()
    for _ in range(FEW + 1):
        limits.allow(CRASH, 100)
    assert limits.allow(CRASH, 100 + WHILE)
    assert limits.is_due()
    assert limits.due(100 + WHILE) == [Report(1, CRASH)]


def test_warnings_without_an_exception_are_written_more_often() -> None:
    limits = LogLimits()
    assert sum(limits.allow(WARNING, 100 + n / 100) for n in range(3 * MANY)) == MANY


def test_what_follows_failures_is_limited_while_one_repeats() -> None:
    limits = LogLimits()
    assert all(limits.allow(JOINED, 100 + n / BURST) for n in range(3 * MANY))
    for _ in range(FEW):
        assert limits.allow(CRASH, 101)
    assert all(limits.allow(JOINED, 102 + n / BURST) for n in range(3 * MANY))
    assert not limits.allow(CRASH, 103)
    assert sum(limits.allow(JOINED, 104 + n / BURST) for n in range(3 * MANY)) == MANY
    limits.wrote(JOINED, "JOINED 'room:1'")
    assert [report.count for report in limits.due(104 + WHILE)] == [1, 2 * MANY]
    assert all(limits.allow(JOINED, 115 + n / BURST) for n in range(3 * MANY))


def test_of_all_lines_there_are_so_many_in_a_second() -> None:
    limits = LogLimits()
    assert sum(limits.allow(None, 100) for _ in range(BURST + 7)) == BURST
    assert limits.due(100 + SECOND) == [Report(7)]
    assert limits.allow(None, 100 + SECOND)
    assert limits.next_due() == math.inf


def test_the_end_is_the_end_of_all_counts() -> None:
    limits = LogLimits()
    for _ in range(FEW + 2):
        limits.allow(CRASH, 100)
    for _ in range(BURST):
        limits.allow(None, 100)
    assert not limits.is_due(100)
    limits.end()
    assert limits.is_due()
    assert limits.due(100) == [Report(FEW), Report(2, CRASH)]


def test_kinds_without_end_are_not_kept() -> None:
    limits = LogLimits()
    for number in range(10 * KINDS):
        limits.allow(Kind("phxactor", logging.ERROR, (number,)), 100 + number / 1000)
    assert len(limits._kinds) <= KINDS  # noqa: SLF001
    limits.due(1000)
    assert not limits._kinds  # noqa: SLF001


@given(st.lists(st.tuples(st.sampled_from([None, CRASH, OTHER, WARNING, JOINED]), st.floats(0, 3)), max_size=400))
def test_each_line_is_allowed_or_counted_once(lines: list[tuple[Kind | None, float]]) -> None:
    limits = LogLimits()
    now, allowed, counted = 0.0, 0, 0
    for kind, seconds in lines:
        now += seconds
        allowed += limits.allow(kind, now)
        if seconds > 2:
            counted += sum(report.count for report in limits.due(now))
    limits.end()
    counted += sum(report.count for report in limits.due(now))
    assert allowed + counted == len(lines)
    assert limits.next_due() == math.inf
