"""Planted bugs: numbers, `schedule()` and `explore` find each, and it fails in another process too."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from phxactor.testing.explore import explore
from phxactor.testing.schedule import Schedule
from phxactor.testing.strategies import schedule
from tests.demos.program import ROOT
from tests.testing.planted import BUGS, Bug
from tests.testing.planted.replays import MOST, failure, first_find

pytestmark = pytest.mark.allow_leaks("a failure leaves its servers behind")

DEEP = {"three_in_a_row", "two_in_a_room_for_one", "a_task_outlives_its_channel"}
"""Bugs that need three deviations, or two of very many orders."""

planted = pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)


@planted
def test_a_bug_is_found_within_200_numbers_and_not_by_the_first(bug: Bug) -> None:
    found = first_find(bug)
    assert found is not None
    assert found[0] > 0


@planted
def test_a_bug_is_found_by_hypothesis_within_200_examples(bug: Bug) -> None:
    @settings(
        max_examples=MOST,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(schedule(faults=bug.faults))
    def look(order: Schedule) -> None:
        order.run_once(bug.program)

    with pytest.raises(Exception):  # noqa: B017, PT011 - each program has its own
        look()


@pytest.mark.parametrize(
    "bug", [bug for name, bug in BUGS.items() if name not in DEEP], ids=[name for name in BUGS if name not in DEEP]
)
def test_a_bug_is_found_by_at_most_two_deviations(bug: Bug) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each program has its own
        explore(bug.program, preemptions=2, faults=bug.faults)
    assert caught.value.__notes__[-1].endswith("this one has the fewest deviations of those that fail")


def test_their_numbers_fail_in_another_process_too() -> None:
    """`make packages` does the same with other versions of Python."""
    run = (sys.executable, "-m", "tests.testing.planted.replays")
    numbers = subprocess.run([*run, "find"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in ("lost_update", "late_reply", "a_transfer_that_is_half_done"):
        number, kind = json.loads(numbers)[name]
        assert failure(BUGS[name], number) == kind
    again = subprocess.run([*run, "again"], cwd=ROOT, input=numbers, capture_output=True, text=True, check=False)
    assert again.stdout == f"{len(BUGS)} of {len(BUGS)} planted bugs fail by their number\n"
