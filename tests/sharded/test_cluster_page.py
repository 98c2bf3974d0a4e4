"""docs/cluster-testing.md: the steps that it prints show the split brain; with `majority` they do not."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from trio.testing import MockClock

from phxactor.testing.outages import Isolate

PAGE: Final = (Path(__file__).parents[2] / "docs" / "cluster-testing.md").read_text()
BLOCKS: Final = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(params=["both", "majority"])
def page(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the blocks as one program, with a way to split."""
    accounts = ModuleType("accounts")
    monkeypatch.setitem(sys.modules, "accounts", accounts)
    first = BLOCKS[0].replace('on_split="both"', f'on_split="{request.param}"')
    exec(compile(first, "docs/cluster-testing.md", "exec"), accounts.__dict__)  # noqa: S102 - the page's own code
    names = ModuleType("test_accounts")
    monkeypatch.setitem(sys.modules, "test_accounts", names)
    for block in BLOCKS[1:]:
        text = block.replace("max_examples=200", "max_examples=10")
        exec(compile(text, "docs/cluster-testing.md", "exec"), names.__dict__)  # noqa: S102 - the same
    return {**names.__dict__, "on_split": request.param}


async def test_the_steps_of_the_page_show_the_split_brain(page: dict[str, Any], autojump_clock: MockClock) -> None:
    pay = page["Pay"]
    steps = [Isolate("a"), pay("a", 10), pay("a", 60), pay("b", 60)]
    assert "steps=[Isolate('a'), Pay('a', 10), Pay('a', 60), Pay('b', 60)]" in PAGE
    if page["on_split"] == "majority":
        await page["play"](steps)
    else:
        with pytest.raises(AssertionError, match="120 were paid"):
            await page["play"](steps)


def test_the_trace_names_the_nodes(page: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    with suppress(AssertionError):
        page["show"]()
    assert re.search(r"^ +b #PID<\d+ accounts> takes ", capsys.readouterr().out, re.MULTILINE)
