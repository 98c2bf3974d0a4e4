"""When a worker is started again, and when the parent gives up."""

from __future__ import annotations

from itertools import pairwise

import pytest

from phxactor.workers._restarts import FAILED_STARTS, LEAST, LONGEST_PAUSE, SECONDS, Restarts


def test_twenty_kills_in_a_row_and_then_all_at_once_are_survived() -> None:
    restarts = Restarts(4)
    for second in range(20):
        assert restarts.ended(1, second, was_ready=True, others=3) == 0
    for number in range(1, 5):
        assert restarts.ended(number, 20, was_ready=True, others=0) == 0


@pytest.mark.parametrize(("workers", "most"), [(1, LEAST), (4, 40)])
def test_more_ends_than_the_intensity_allows_end_the_parent(workers: int, most: int) -> None:
    restarts = Restarts(workers)
    for _ in range(most):
        assert restarts.ended(1, 0, was_ready=True, others=1) == 0
    assert restarts.ended(1, 0, was_ready=True, others=1) == f"workers ended {most + 1} times within {SECONDS} s"


def test_ends_long_ago_do_not_count() -> None:
    restarts = Restarts(1)
    for second in range(0, 1000, 10):
        assert restarts.ended(1, second, was_ready=True, others=0) == 0


def test_a_worker_that_does_not_start_is_tried_less_and_less_often_while_others_serve() -> None:
    restarts = Restarts(2)
    pauses = [restarts.ended(1, second * 20, was_ready=False, others=1) for second in range(10)]
    assert all(isinstance(pause, float) for pause in pauses)
    assert all(later == min(2 * sooner, LONGEST_PAUSE) for sooner, later in pairwise(pauses))
    assert pauses[-1] == LONGEST_PAUSE
    assert restarts.ended(1, 300, was_ready=True, others=1) == 0.0
    assert restarts.ended(1, 301, was_ready=False, others=1) == pauses[0]


def test_a_worker_that_does_not_start_while_no_other_serves_ends_the_parent() -> None:
    restarts = Restarts(2)
    for _ in range(FAILED_STARTS - 1):
        assert isinstance(restarts.ended(1, 0, was_ready=False, others=0), float)
    assert isinstance(restarts.ended(2, 0, was_ready=False, others=0), float)
    assert "did not start 5 times in a row" in str(restarts.ended(1, 0, was_ready=False, others=0))
