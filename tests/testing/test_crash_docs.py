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
FAILS: Final = "test_who_starts_first_wins"


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """What the page defines."""
    namespace: dict[str, Any] = {"__name__": "crash_testing"}
    for block in blocks(PAGE):
        exec(compiled(block, PAGE), namespace)  # noqa: S102 - this is what the test is about
    return namespace


def test_the_failure_is_the_one_that_is_shown(page: dict[str, Any]) -> None:
    with pytest.raises(AssertionError) as caught:
        page[FAILS]()
    (shown,) = re.findall(r"and adds a note to the failure:\n\n((?:    .*\n)+)", PAGE.read_text())
    assert caught.value.__notes__[0].splitlines() == [line.removeprefix("    ") for line in shown.splitlines()]


def test_all_others_pass(page: dict[str, Any]) -> None:
    tests = dict(passing(page))
    assert set(tests) == {
        "TestCounters",
        "test_both_arrive",
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
