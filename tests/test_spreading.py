"""How tests are spread: what shares something stays together, and what takes long comes first."""

from __future__ import annotations

from pathlib import Path

from tests.spreading import FIRST, TOGETHER, in_order

ROOT = Path(__file__).parents[1]


def test_files_stay_together_groups_too_and_the_long_ones_come_first() -> None:
    tests = [
        "tests/http/test_a.py::test_1",
        "tests/http/test_a.py::test_2[x::y]",
        "tests/soak/test_soak.py::test_1",
        "tests/test_phoenix_js.py::test_1",
        "tests/longpoll/test_phoenix_js.py::test_1",
        "tests/http/test_b.py::test_1",
    ]
    assert list(in_order(tests).items()) == [
        ("tests/soak/test_soak.py", [tests[2]]),
        ("phoenix.js", [tests[3], tests[4]]),
        ("tests/http/test_a.py", [tests[0], tests[1]]),
        ("tests/http/test_b.py", [tests[5]]),
    ]


def test_all_files_and_groups_that_are_named_exist() -> None:
    files = {*TOGETHER, *FIRST} - set(TOGETHER.values())
    assert [file for file in files if not (ROOT / file).is_file()] == []
    assert set(TOGETHER.values()) <= set(FIRST)
