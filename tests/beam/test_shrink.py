from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final

import pytest

from tests.beam.machines import Verdict, agreed
from tests.beam.programs import program
from tests.beam.shrink import candidates, shrink
from tests.oracle.programs import Observation, Source

SIGNALS: Final[Source] = {
    "kind": "signals",
    "actors": 5,
    "steps": [
        [0, [["spawn", 5, [["trap", True], ["raise"]]], ["send", 1, "a"]], True],
        [2, [["guard", ["signal", 1, "kill"]], ["alive", 1]], False],
        [3, [["spawn_link", 6, [["spawn_monitor", 7, [["throw", "ball"]], 0]]]], True],
    ],
}
TREE: Final[Source] = {
    "kind": "supervisors",
    "tree": {
        "id": "r",
        "sup": "one_for_all",
        "max": 2,
        "auto": "any_significant",
        "children": [
            {
                "id": "s1",
                "sup": "one_for_one",
                "max": 1,
                "restart": "transient",
                "children": [{"id": "w1", "trap": True}],
            },
            {"id": "w2", "plan": ["ok", "raise", "ok"], "shutdown": 30, "stubborn": True, "trap": True},
        ],
    },
    "steps": [
        ["start", "r", {"id": "w3", "restart": "temporary", "significant": True}],
        ["crash", "r", ["w2", "w2", "s1"], "kill"],
        ["which", "r"],
    ],
}


def containing(*texts: str) -> Callable[[Sequence[Source]], list[bool]]:
    """Make a judge of programs that looks only for this."""
    return lambda sources: [all(text in json.dumps(source) for text in texts) for source in sources]


def without(option: str, spec: Source) -> Source:
    return {key: value for key, value in spec.items() if key != option}


def size(source: Source) -> int:
    """What shrinking has to lessen, so that it ends."""
    return len(json.dumps(source).replace("true", "false!")) + int(source.get("actors", 0))


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ('"kill"', [[2, [["signal", 1, "kill"]], False]]),
        ('"raise"', [[0, [["spawn", 5, [["raise"]]]], False]]),
        ('"throw"', [[3, [["spawn_link", 6, [["spawn_monitor", 7, [["throw", "ball"]], 0]]]], False]]),
        ("true], [", [[0, [["spawn", 5, [["trap", True], ["raise"]]]], False]]),
    ],
)
def test_of_signals_only_what_matters_is_left(text: str, steps: object) -> None:
    assert shrink(SIGNALS, containing(text)) == {"kind": "signals", "actors": 1, "steps": steps}


@pytest.mark.parametrize(
    ("texts", "children", "steps"),
    [
        (['"raise"'], [{"id": "w2", "plan": ["raise"], "shutdown": 30}], []),
        (['"w1", "trap"'], [without("restart", TREE["tree"]["children"][0])], []),
        (['"w3"', '"which"'], [], [["start", "r", {"id": "w3"}], ["which", "r"]]),
        (['"crash"', '["w2"'], [], [["crash", "r", ["w2"], "kill"]]),
    ],
)
def test_of_trees_only_what_matters_is_left(texts: list[str], children: list[Source], steps: object) -> None:
    tree = {"id": "r", "sup": "one_for_all", "max": 2, "children": children}
    assert shrink(TREE, containing(*texts)) == {"kind": "supervisors", "tree": tree, "steps": steps}


def test_a_program_that_shows_nothing_shorter_stays_as_it_is() -> None:
    assert shrink(TREE, lambda sources: [False for _ in sources]) is TREE


@pytest.mark.parametrize(
    "source", [SIGNALS, TREE, *(program(1, number) for number in range(12))], ids=itemgetter("kind")
)
def test_whatever_is_tried_is_smaller(source: Source) -> None:
    tried = list(candidates(source))
    assert tried
    assert all(size(candidate) < size(source) for candidate in tried)


def test_what_schedules_make_differ_is_not_determined() -> None:
    source: Source = {"id": 1, "kind": "signals", "actors": 1, "steps": [[0, [["raise"]], False]] * 3}
    one, two, three = (Observation(res=[number]) for number in range(3))
    same = agreed(source, [[one, two, three], [one, two, three]])
    assert same == Verdict(source, [one, two, three])
    assert same.whole
    differing = agreed(source, [[one, two, three], [one, three, three]])
    assert differing == Verdict(source, [one])
    assert not differing.whole
    assert differing.program.source["steps"] == source["steps"][:1]
    assert differing.program.observed == [one]


def test_what_never_becomes_quiet_is_not_determined() -> None:
    source = {"id": 1, "kind": "signals", "actors": 1, "steps": [[0, [["raise"]], False]]}
    assert agreed(source, [[{"res": []}], None]) == Verdict(source, [], quiet=False)
