"""No operation costs 30 % more, or less, than what is recorded, in executed instructions."""

from __future__ import annotations

from contextlib import nullcontext
from textwrap import indent

import pytest
import trio

from tests.cost.attached import ATTACHED, Attaching, instructions
from tests.cost.counting import counting
from tests.cost.operations import OPERATIONS
from tests.cost.recorded import VERSION, complaint, read


@pytest.mark.socket
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_costs_what_is_recorded(operation: str) -> None:
    recorded = read().get(VERSION)
    if recorded is None:
        pytest.skip(f"nothing is recorded for Python {VERSION}: python -m tests.cost --record")
    complaints = []
    for _ in range(3):  # on a busy machine a message may come in two pieces, or a time-out be due, in each round
        complaints.append(complaint(operation, recorded[operation], trio.run(OPERATIONS[operation])))
        if complaints[-1] is None:
            return
    assert complaints == []


@pytest.mark.socket
def test_a_delivery_from_another_node_costs_as_much_as_one_from_here() -> None:
    here = trio.run(OPERATIONS["delivery"])
    assert trio.run(OPERATIONS["delivery from another node"]) <= 1.1 * here
    assert trio.run(OPERATIONS["delivery, with other nodes"]) <= 1.1 * here  # some: it is published, too


@pytest.mark.socket
@pytest.mark.parametrize(("attached", "most"), [("metrics", 0.15), ("traces", 0.05)])
def test_what_is_attached_costs_little_and_nothing_afterwards(attached: str, most: float) -> None:
    def least(attaching: Attaching = nullcontext) -> int:
        """Return the least of some counts: where a time-out is due, a count has more in it."""
        return min(trio.run(instructions, attaching) for _ in range(4))

    without = least()
    assert without * 1.02 < least(ATTACHED[attached]) <= without * (1 + most)
    assert least() == pytest.approx(without, rel=0.02)


@pytest.mark.parametrize(
    ("counted", "message"),
    [
        (1000, None),
        (1299, None),
        (701, None),
        (1310, "echo: 1310 instructions, 31% more than the 1000 that are recorded. If it has to be so: "),
        (2000, "echo: 2000 instructions, 100% more than"),
        (690, "echo: 690 instructions, 31% less than the 1000 that are recorded. Well done: "),
    ],
)
def test_a_count_far_from_what_is_recorded_is_told(counted: int, message: str | None) -> None:
    found = complaint("echo", 1000, counted)
    assert found is None if message is None else found is not None and found.startswith(message)


def test_a_count_grows_with_what_is_executed() -> None:
    def instructions(lines: int) -> int:
        text = "line\n" * lines
        with counting() as counter:
            indent(text, " ")
        return counter.instructions

    few, many = instructions(10), instructions(1010)
    assert few == instructions(10)
    assert many - few > 1000
