"""The rings of the history: bounded, and in order."""

from __future__ import annotations

from phxactor.observer._history import POINTS, STEP, History
from phxactor.observer._totals import Totals


def test_an_hour_is_kept_and_no_more() -> None:
    history = History()
    assert history.series()["lag"] == []
    for number in range(POINTS + 5):
        history.take(Totals(number, 0, 0, 0, 0), {})
    taken = history.series()
    assert taken["processes"] == [float(number) for number in range(5, POINTS + 5)]
    assert taken["messages"] == [None] * POINTS
    assert history.last - history.first() == STEP * (POINTS - 1)


def test_counts_become_rates_and_numbers_of_a_step() -> None:
    history = History()
    history.counts.update(joins=10, crashes=3)
    history.take(Totals(1, 2, 0, 0, 0), {"messages": 7.5, "p50": None})
    history.take(Totals(1, 2, 0, 0, 0), {})
    taken = history.series()
    assert taken["joins"] == [2.0, 0.0]
    assert taken["crashes"] == [3.0, 0.0]
    assert taken["messages"] == [7.5, None]
    assert taken["p50"] == [None, None]
