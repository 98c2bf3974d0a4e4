from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from tests.oracle.__main__ import main
from tests.oracle.order import batches
from tests.oracle.programs import INTERPRETERS, SAMPLE, Observation, Program, load

pytestmark = pytest.mark.allow_leaks("programs that nobody wrote leave processes behind")


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("program", [program for program in load(SAMPLE) if program.kind in INTERPRETERS], ids=str)
def test_the_runtime_does_what_the_beam_does(program: Program, *, backwards: bool) -> None:
    assert program.differences(backwards=backwards) == []


@pytest.mark.parametrize("backwards", [False, True])
def test_tasks_run_in_the_order_that_is_asked_for(*, backwards: bool) -> None:
    ran: list[int] = []

    async def note(number: int) -> None:
        ran.append(number)

    async def start() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(note, number)

    for _ in range(20):
        ran.clear()
        with batches(backwards=backwards):
            trio.run(start)
        assert ran == sorted(ran, reverse=backwards)


def test_a_program_that_cannot_be_played_disagrees_and_stops_no_other() -> None:
    source = {"id": 7, "kind": "signals", "actors": 1, "steps": [[0, [["fly"]], False]]}
    (difference,) = Program("signals", 7, source, [{}]).differences()
    assert difference.startswith("signals 7 ")


def test_what_is_sorted_in_the_record_may_be_sorted_otherwise() -> None:
    commands = [["monitor_name", "red", number] for number in range(11)]
    source = {"id": 7, "kind": "signals", "actors": 1, "steps": [[0, commands, True]]}
    letters = [["DOWN", number] for number in range(11)]
    for order in (letters, sorted(letters, key=str)):
        observed: Observation = {"res": ["ok"] * 11, "mail": {"0": {"noproc": order}}}
        assert Program("signals", 7, source, [observed]).differences() == []


def test_the_command_counts_and_tells_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step = [0, [["send", 0, "a"], ["recv", ["a"]]], False]
    right, wrong = {"res": ["ok", [0, "a"]]}, {"res": ["ok", "timeout"]}
    path = tmp_path / "programs.json"
    path.write_text(
        json.dumps(
            [
                {"id": 1, "kind": "signals", "actors": 1, "steps": [step], "observed": [right]},
                {"id": 2, "kind": "signals", "actors": 1, "steps": [step], "observed": [wrong]},
                {"id": 3, "kind": "unheard of", "observed": []},
            ]
        )
    )
    assert main(path) == 1
    difference, skipped, last = capsys.readouterr().out.splitlines()
    assert difference.startswith("signals 2 step 0: expected")
    assert skipped.startswith("1 of kind unheard of skipped")
    assert last == "1 of 2 agree"
