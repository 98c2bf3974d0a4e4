"""Thirty planted bugs: numbers find each within 200 plays, and its plainest order is played again elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from random import Random

import pytest

from phxactor.testing.exploration import Playground, portfolio
from phxactor.testing.explore import explore
from tests.demos.program import ROOT
from tests.testing.planted_bugs import PROGRAMS, Program, three_in_a_circle, two_locks

pytestmark = pytest.mark.allow_leaks("a failure leaves its servers behind")

AGAIN = """
import json, sys
from phxactor.testing.schedule import Schedule
from tests.testing import planted_bugs
for name, order in json.load(sys.stdin).items():
    try:
        Schedule({int(number): chosen for number, chosen in order.items()}).run(getattr(planted_bugs, name))
    except Exception as error:
        print(name, type(error).__name__)
"""


def first_find(program: Program) -> int | None:
    """Return the number of the first play that fails, of 200."""
    ground = Playground(program, timeouts=2.0)
    with ground.open():
        for number in range(200):
            guide = portfolio(number, Random(number))  # noqa: S311
            if ground.play(lambda _, options, guide=guide: guide.pick(options)).error is not None:  # type: ignore[misc]
                return number
    return None


def plainest(program: Program) -> tuple[dict[int, int], str]:
    """Return the plainest order that `explore` finds, and the type of its failure."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each program has its own
        explore(program, preemptions=2)
    order = caught.value.__notes__[0].partition(", of ")[0]
    return eval(order, {"Schedule": lambda order=None: order or {}}), type(caught.value).__name__  # noqa: S307


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_bug_is_found_within_200_plays(program: Program) -> None:
    assert first_find(program) is not None


def test_the_plainest_orders_fail_in_another_process_too() -> None:
    found = {
        program.__name__: plainest(program) for program in PROGRAMS if program not in (three_in_a_circle, two_locks)
    }
    assert max(len(order) for order, _ in found.values()) <= 2
    orders = json.dumps({name: order for name, (order, _) in found.items()})
    again = subprocess.run(
        [sys.executable, "-c", AGAIN], input=orders, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert dict(line.split() for line in again.stdout.splitlines()) == {name: kind for name, (_, kind) in found.items()}
