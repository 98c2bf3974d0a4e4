"""The page about crashes: its tests are run, and the one that is to fail fails as the page says."""

from __future__ import annotations

import re
import unittest
from collections.abc import Callable, Iterator
from inspect import iscoroutinefunction
from typing import Any, Final

import pytest
import trio

from tests.demos.program import ROOT
from tests.test_readme import blocks, compiled

PAGE: Final = ROOT / "docs" / "crash-testing.md"
pytest_plugins = ["pytester"]

FAILS: Final = "test_the_price_of_cake"


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """What the page defines."""
    namespace: dict[str, Any] = {"__name__": "crash_testing"}
    for block in blocks(PAGE):
        exec(compiled(block, PAGE), namespace)  # noqa: S102 - this is what the test is about
    return namespace


def comparable(lines: list[str]) -> list[str]:
    """Leave out what Hypothesis's random numbers change: the strategy, and the number of the play."""
    return [re.sub(r"\(.* has found it, in play \d+\)", "(it was found)", line) for line in lines]


def test_the_failure_is_the_one_that_is_shown(pytester: pytest.Pytester) -> None:
    find = next(block for block in blocks(PAGE) if FAILS in block.text)
    pytester.makepyfile(test_shop=find.text.rstrip())
    result = pytester.runpytest_subprocess("--hypothesis-seed=0", "-q")
    result.assert_outcomes(failed=1)
    lines = result.stdout.lines
    first = next(index for index, line in enumerate(lines) if line.startswith("E       assert"))
    printed = lines[first : lines.index("", first)]
    (shown,) = re.findall(r"own lines it shows:\n\n((?:    E.*\n)+)", PAGE.read_text())
    assert comparable(printed) == comparable([line.removeprefix("    ") for line in shown.splitlines()])


def test_exploring_prints_what_is_shown(page: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    page["test_no_order_mixes_up_the_prices"]()
    printed = re.sub(r"\([0-9.]+ s\)", "(0.1 s)", capsys.readouterr().out)
    assert "".join(f"    {line}\n" for line in printed.splitlines()) in PAGE.read_text()


def test_the_test_that_is_kept_fails_while_the_bug_is_there(page: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        page["Schedule"]({0: 1}).run(page["visit"])


def test_all_others_pass(page: dict[str, Any]) -> None:
    tests = dict(passing(page))
    assert set(tests) == {
        "TestCounters",
        "test_no_order_mixes_up_the_prices",
        "test_a_late_price_is_not_taken_for_another_one",
        "test_the_web_server_restarts_with_the_registrar",
        "test_all_nodes_that_run_see_one_another_in_the_end",
        "test_an_evening",
        "test_supervisors_do_what_OTP_says",
        "test_the_cache_goes_with_the_store",
        "test_a_client_gets_one_end_of_a_channel_killed_while_it_leaves",
    }
    for test in tests.values():
        if iscoroutinefunction(test):
            trio.run(test)
        else:
            test()


def passing(page: dict[str, Any]) -> Iterator[tuple[str, Callable[[], object]]]:
    """Find the tests that are to pass."""
    for name, value in page.items():
        if isinstance(value, type) and issubclass(value, unittest.TestCase):
            yield name, value("runTest").debug
        elif name.startswith("test_") and name != FAILS:
            yield name, value
