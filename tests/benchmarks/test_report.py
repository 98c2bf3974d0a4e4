"""The table: medians, ratios, verdicts, and no figure where an answer was wrong."""

from __future__ import annotations

import orjson
import pytest

from benchmarks.os_process import Cores
from benchmarks.report import as_data, compared, write
from benchmarks.spread import Spread, digits, spread, table
from benchmarks.suite import CASES, ECHO, Result
from tests.benchmarks.found import FLOOR_US, figures, result

APART = Cores(server=1, load=0)
FLOORS = [figures(FLOOR_US)]
IDLE = CASES[-1]


def lines(*results: Result, cores: Cores = APART) -> list[str]:
    return write(FLOORS, results, cores).splitlines()


def row(name: str, *results: Result) -> list[str]:
    """The cells of a server's row."""
    (found,) = [line.split() for line in lines(*results) if line.startswith(f"  {name} ")]
    return found


def test_a_spread_is_the_median_and_the_middle_half() -> None:
    assert spread([1, 2, 3, 4, 100]) == Spread(3, 2, 4)
    assert spread([7]) == Spread(7, 7, 7)
    assert str(spread([7])) == "7.00"
    assert str(spread([1, 2, 3])) == "2.00 (1.50-2.50)"


def test_numbers_have_the_digits_that_count() -> None:
    assert [digits(number) for number in (0.123, 1.234, 12.34, 123.4, 12345.0)] == [
        "0.12",
        "1.23",
        "12.3",
        "123",
        "12345",
    ]


def test_columns_of_a_table_are_aligned() -> None:
    assert table([("", "b"), ("aa", "10")]) == "     b\naa  10"


def test_a_row_is_the_median_of_runs_and_its_ratio_to_the_floor() -> None:
    cells = row("phxactor", result("phxactor", ECHO, figures(14), figures(15), figures(16)))
    assert cells[1:5] == ["15.0", "(14.5-15.5)", "1.50", "(1.45-1.55)"]


@pytest.mark.parametrize(("cpu_us", "verdict"), [(16.0, "ok"), (16.1, "over")])
def test_ours_is_compared_with_its_target(cpu_us: float, verdict: str) -> None:
    assert row("phxactor", result("phxactor", ECHO, figures(cpu_us)))[3:5] == ["1.6", verdict]


def test_others_have_no_target() -> None:
    cells = row("node-ws", result("node-ws", ECHO, figures(50)))
    assert not {"ok", "over"} & set(cells)


def test_memory_is_compared_with_a_target_in_kb() -> None:
    assert row("phxactor", result("phxactor", IDLE, figures(200, kb=13.5)))[1:] == ["13.5", "KB", "14", "KB", "ok"]


def test_a_wrong_answer_makes_a_line_and_no_row() -> None:
    spoiled = Result("node-ws", ECHO, fault="a wrong answer to b'x'\nnode-ws said: ...")
    found = lines(result("phxactor", ECHO, figures(15)), spoiled)
    assert not any(line.startswith("  node-ws") for line in found)
    assert "No figure for node-ws, echo, 50 clients: a wrong answer to b'x'" in found


def test_the_side_that_used_up_its_core_is_named() -> None:
    assert row("phxactor", result("phxactor", ECHO, figures(15, busy=0.95)))[-1] == "server"
    assert row("phxactor", result("phxactor", ECHO, figures(15, busy=0.5)))[-1] == "neither"


def test_noise_is_mentioned() -> None:
    quiet = result("phxactor", ECHO, figures(15))
    noisy = result("phxactor", ECHO, *[figures(15, waited=0.3)] * 3)
    assert not any(line.startswith("Noise") for line in lines(quiet))
    assert "Noise: others had the server's core for 30% of the time." in lines(noisy)


def test_what_the_machine_allowed_is_mentioned() -> None:
    ours = result("phxactor", ECHO, figures(15))
    assert any("one core" in line for line in lines(ours, cores=Cores(server=0, load=0)))
    assert any("real-time" in line for line in lines(ours, cores=Cores(server=1, load=0, realtime=True)))


def test_the_latency_stands_beside_that_of_socketio() -> None:
    ours = result("phxactor", ECHO, figures(15, p99_ms=2.0))
    assert compared([ours]) is None
    theirs = result("python-socketio", ECHO, figures(80, p99_ms=8.0))
    assert compared([ours, theirs]) == (2.0, 8.0)
    (line,) = [line for line in lines(ours, theirs) if line.startswith("p99")]
    assert line.endswith("phxactor 2.00 ms, python-socketio 8.00 ms, each at its own load: ok.")


def test_everything_goes_to_json() -> None:
    spoiled = Result("node-ws", ECHO, fault="a wrong answer")
    data = orjson.loads(orjson.dumps(as_data(FLOORS, [result("phxactor", ECHO, figures(15)), spoiled])))
    ours, theirs = data["results"]
    assert (ours["found"]["median"], ours["target"], ours["runs"][0]["bound"]) == (1.5, 1.6, "server")
    assert theirs["fault"] == "a wrong answer"
    assert "found" not in theirs
