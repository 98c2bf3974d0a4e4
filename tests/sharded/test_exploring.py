"""A small cluster whose steps and faults are played by number, and are explored."""

from __future__ import annotations

from functools import partial

import pytest

from phxactor.testing.explore import Faults, explore
from phxactor.testing.schedule import Schedule
from tests.sharded.exploring import small
from tests.sharded.planted import FAULTS

ONE_CUT = Faults(cuts=1)


def test_nodes_that_start_beside_each_other_find_each_other() -> None:
    """What a region says first may come before the other one is there: it says it again."""
    Schedule({31: 1}, timeouts=0, faults=Faults(deaths=1)).run(small)


@pytest.mark.parametrize(
    ("fault", "deviations"),
    [("two_states_are_not_merged", {12: 1}), ("a_view_is_there_before_all_agree", {26: 2})],
)
def test_one_deviation_shows_a_planted_fault(fault: str, deviations: dict[int, int]) -> None:
    """`explore(small, preemptions=1, timeouts=0, faults=Faults(cuts=1))` finds it with this order; 557 pass without."""
    order = Schedule(deviations, timeouts=0, faults=ONE_CUT)
    with FAULTS[fault](), pytest.raises(AssertionError):
        order.run(small)
    order.run(small)


def test_faults_of_a_cluster_need_a_bound() -> None:
    for faults in (Faults(losses=1), Faults(cuts=1), Faults(deaths=1)):
        with pytest.raises(ValueError, match="without a bound"):
            explore(partial(small), faults=faults)
