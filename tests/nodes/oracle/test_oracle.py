from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.nodes.oracle.__main__ import main
from tests.nodes.oracle.programs import SAMPLE, Program, load

pytestmark = pytest.mark.allow_leaks("programs that nobody wrote leave processes behind")

PROGRAMS = load(SAMPLE)


@pytest.mark.parametrize("number", range(8))
def test_three_simulated_nodes_do_what_three_nodes_of_the_beam_do(number: int) -> None:
    for index, program in enumerate(PROGRAMS[number::8]):
        assert program.differences(backwards=index % 2 == 1) == []


def test_the_command_counts_and_tells_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    born = [-1, [["spawn", 0, 0, True], ["spawn", 1, 1, False]], True]
    steps = [born, [0, [["link", 1], ["signal", 1, "boo"]], True]]
    right: dict[str, Any] = {"res": [True, True], "ended": {"1": "boo"}, "mail": {"0": {"1": [["EXIT", "boo"]]}}}
    wrong = {**right, "ended": {"1": "bah"}}
    path = tmp_path / "programs.json"
    path.write_text(
        json.dumps(
            [
                {"id": number, "kind": "signals", "steps": steps, "observed": [{"res": ["ok", "ok"]}, observed]}
                for number, observed in enumerate((right, wrong))
            ]
        )
    )
    assert main(path) == 1
    difference, last = capsys.readouterr().out.splitlines()
    assert difference.startswith("signals 1 step 1 ")
    assert last == "1 of 2 agree"


def test_a_program_that_cannot_be_played_disagrees_and_stops_no_other() -> None:
    source = {"id": 7, "kind": "signals", "steps": [[-1, [["fly"]], False]], "observed": [{}]}
    (difference,) = Program(source).differences()
    assert difference.startswith("signals 7: cannot be played")
