"""The order of runs: the floor before and after each, and no more runs of what was wrong once."""

from __future__ import annotations

import pytest

from benchmarks import suite
from benchmarks.load.command_line import Load
from benchmarks.load.dialects import Fault
from benchmarks.load.figures import Figures
from benchmarks.os_process import Cores
from benchmarks.servers.catalogue import FLOOR, PHXACTOR, Running
from benchmarks.serving import Kind
from benchmarks.suite import CASES, ECHO, Pace, Suite
from tests.benchmarks.found import figures

OTHER = Running("other", 4000, 1, "phoenix")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The servers as they are measured: each floor costs one more than the last, and the other answers wrongly."""
    order: list[str] = []

    def measure(kind: Kind, load: Load, cores: Cores) -> Figures:
        order.append(kind.name)
        if kind is OTHER:
            raise Fault("a wrong answer")
        return figures(10.0 + order.count(FLOOR.name) if kind is FLOOR else 30.0)

    monkeypatch.setattr(suite, "measure", measure)
    return order


def run(repeat: int, *kinds: Kind) -> tuple[list[Figures], list[suite.Result], list[str]]:
    told: list[str] = []
    floors, results = Suite(Cores(1, 0), Pace(0, 0), repeat, told.append).run(kinds, CASES[:2])
    return floors, results, told


def test_the_floor_is_measured_before_and_after_each_run(measured: list[str]) -> None:
    floors, results, _ = run(1, PHXACTOR)
    assert measured == ["floor", "phxactor", "floor", "phxactor", "floor"]
    assert [each.cpu_us for each in floors] == [11, 12, 13]
    assert [[each.floor_us for each in result.runs] for result in results] == [[11.5], [12.5]]
    assert results[0].runs[0].ratio == 30 / 11.5


def test_each_server_goes_through_each_case_so_many_times(measured: list[str]) -> None:
    _, results, told = run(3, PHXACTOR)
    assert [(result.server, result.case.name, len(result.runs)) for result in results] == [
        ("phxactor", ECHO.name, 3),
        ("phxactor", CASES[1].name, 3),
    ]
    assert [line.partition(" ")[0].strip("[],") for line in told] == [f"{number}/6" for number in range(1, 7)]


def test_what_was_wrong_once_is_not_run_again(measured: list[str]) -> None:
    _, results, told = run(3, OTHER, PHXACTOR)
    assert measured.count("other") == 2  # once in each case
    assert {result.fault for result in results if result.server == "other"} == {"a wrong answer"}
    assert len([line for line in told if "a wrong answer" in line]) == 2
