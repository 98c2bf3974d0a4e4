from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.oracle.__main__ import main
from tests.oracle.programs import INTERPRETERS, SAMPLE, Program, load


@pytest.mark.parametrize("program", [program for program in load(SAMPLE) if program.kind in INTERPRETERS], ids=str)
def test_the_runtime_does_what_the_beam_does(program: Program) -> None:
    assert program.differences() == []


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
