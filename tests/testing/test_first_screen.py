"""What pytest shows of a bug of five steps: on one screen, without anything of the libraries' inside."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

for name in ("_report", "explore", "strategies"):
    import_module(f"phxactor.testing.{name}")  # else each run in this process would have its own

SCREEN = 40
"""Lines."""
SHOP = """
from hypothesis import given, settings
from phxactor import receive, self_pid, spawn
from phxactor.testing.explore import explore
from phxactor.testing.schedule import Schedule
from phxactor.testing.strategies import schedule

PRICES = {"tea": 2, "cake": 4}

async def shop():
    while True:
        customer, item = await receive()
        customer.send(PRICES[item])

async def ask(shop, item):
    shop.send((self_pid(), item))
    try:
        return await receive(timeout=1)
    except TimeoutError:
        return None

async def visit():
    pid = spawn(shop)
    await ask(pid, "tea")
    assert await ask(pid, "cake") in (None, 4)
"""
TESTS = {
    "given": """
@given(schedule())
@settings(deadline=None, database=None, derandomize=True, print_blob=True)
def test_the_price_of_cake(order):
    order.run(visit)
""",
    "explore": """
def test_the_price_of_cake():
    explore(visit, preemptions=2)
""",
    "explored by reduction": """
def test_the_price_of_cake():
    explore(visit)
""",
    "by number": """
def test_the_price_of_cake():
    Schedule({0: 1}).run(visit)
""",
    "under a plugin": """
async def test_the_price_of_cake(phx_runtime, virtual_time):
    with Schedule({0: 1}).playing():
        await visit()
""",
}
INSIDE = ("hypothesis", "_run.py", "schedule.py", "ExceptionGroup", "Explanation", "reproduce_failure", "_steps.py")
EXPECTED = (
    '>       assert await ask(pid, "cake") in (None, 4)',
    "E       assert 2 in (None, 4)",
    "●───▶    #PID<2 main> sends #PID<3 shop>: (#PID<2 main>, 'tea')",
    "│   │    (the earliest deadline passes while #PID<3 shop> could run)",
    "1 s ■   │    #PID<2 main> times out: 1 s for a message",
    "●───▶    #PID<2 main> sends #PID<3 shop>: (#PID<2 main>, 'cake')",
    "◀───●    #PID<3 shop> sends #PID<2 main>: 2",
    "■   │    #PID<2 main> takes 2",
)


@pytest.mark.parametrize("how", TESTS)
def test_it_is_one_screen(pytester: pytest.Pytester, how: str) -> None:
    pytester.makeini("[pytest]\ntrio_mode = true")
    pytester.makepyfile(test_shop=SHOP + TESTS[how])
    result = pytester.runpytest_inprocess("-q", "--phxactor-charts", "charts", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    out = result.stdout.str()
    shown = out[out.index("____ test_the_price_of_cake") : out.index("=== short test summary")].split("\n")
    assert len(shown) <= SCREEN, "\n".join(shown)
    for inside in INSIDE:
        assert not [line for line in shown if inside in line]
    assert re.search(r"E       Schedule\({\d: 1}\), of \d choices:", out)
    for expected in EXPECTED:
        assert expected in out
    (path,) = (pytester.path / "charts").iterdir()
    assert f"E       chart: {path.relative_to(pytester.path)}" in shown
    _check_chart(path)


def _check_chart(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith("# test_shop.py::test_the_price_of_cake\n`Schedule({")
    assert "```mermaid\nsequenceDiagram\n    participant p0 as 2 main\n    participant p1 as 3 shop\n" in text
    assert "    Note over p0: times out: 1 s for a message\n" in text
    assert "● acts" in text


def test_the_charts_are_in_the_cache_of_pytest_by_default(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ntrio_mode = true")
    pytester.makepyfile(test_shop=SHOP + TESTS["by number"])
    result = pytester.runpytest_inprocess("-q")
    path = ".pytest_cache/d/phxactor/test_shop.py-test_the_price_of_cake.md"
    result.stdout.fnmatch_lines([f"E *chart: {path}"])
    assert (pytester.path / path).exists()


def test_all_frames_are_there_if_they_are_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_shop=SHOP + TESTS["by number"])
    result = pytester.runpytest_inprocess("-q", "--full-trace", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*schedule.py:*"])
    result.stdout.no_fnmatch_line("*chart:*")
