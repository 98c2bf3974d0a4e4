"""The table of growth: each size beside the first one, or beside a limit."""

from __future__ import annotations

import attrs
import pytest

from benchmarks.growth import CLIENTS, CROWDS, SIZES, Found, longest, possible, write
from tests.benchmarks.found import FLOOR_US, figures


def rows(found: dict[str, list[Found]], question: str) -> list[list[str]]:
    """The cells of a question's rows, without their names."""
    lines = write(found).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith(question)) + 1
    names = [size.name for size in SIZES]
    return [
        line.strip().removeprefix(name).split()
        for line in lines[start : start + 3]
        for name in names
        if line.startswith(f"  {name} ")
    ]


def test_a_size_is_compared_with_the_first() -> None:
    costs = {"100 clients": 20.0, "1,000 clients": 25.0, "10,000 clients": 40.0}
    found = {name: [Found(figures(cost), FLOOR_US, 1.0)] for name, cost in costs.items()}
    assert rows(found, "an echo, all clients") == [
        ["2.00", "floors", "1.00", "1.5", "ok"],
        ["2.50", "floors", "1.25", "1.5", "ok"],
        ["4.00", "floors", "2.00", "1.5", "over"],
    ]


def test_a_wait_is_compared_with_its_limit() -> None:
    runs = [Found(attrs.evolve(figures(1.0, p99_ms=80.0), max_ms=90.0), FLOOR_US, 1.0)]
    found = {size.name: runs for size in CROWDS}
    assert rows(found, "an echo beside a broadcast")[0] == ["40.0", "ms", "50", "ms", "ok"]
    assert rows(found, "the same, at worst")[0] == ["90.0", "ms", "50", "ms", "over"]


def test_what_needs_more_files_than_there_may_be_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert possible(CLIENTS, 4096) == list(CLIENTS[:2])
    assert "10,000 clients left out: a process may have 4096 open files (ulimit -Hn)" in capsys.readouterr().err


def test_the_longest_collection_counts() -> None:
    assert longest("5 50.000\n10 0.500\n20 12.250\n30 3.000\n", began_ns=10) == 12.25
    assert longest("", began_ns=10) == 0


def test_no_collection_at_all_is_within_the_limit() -> None:
    found = {size.name: [Found(figures(20.0), FLOOR_US, 0.0)] for size in CLIENTS}
    assert rows(found, "longest garbage collection")[0] == ["0.00", "ms", "30", "ms", "ok"]
