"""The observer's page of a program of 10,000 processes, for the tests of it and for the pictures in docs/."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import listen_to
from tests.demos.program import ROOT, Program, serving

ROOMS: Final = 10_000
AXE: Final = ROOT / "phxactor" / "observer" / "page" / "node_modules" / "axe-core" / "axe.min.js"
WIDE: Final = (1280, 800)
PHONE: Final = (390, 844)
SETTLED: Final = 100
"""Milliseconds between two looks at a picture that should stand still."""


def free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


@contextmanager
def watched(port: str, rooms: int = ROOMS, *token: str) -> Iterator[Program]:
    """Run the program of tests/browser/watched."""
    with serving("tests.browser.watched", port, str(rooms), *token, python="-m") as program:
        yield program


@contextmanager
def looking(
    browser: Browser,
    program: Program,
    complaints: list[str],
    size: tuple[int, int] = WIDE,
    scheme: Literal["light", "dark"] = "light",
    **options: Any,  # noqa: ANN401 - those of Playwright
) -> Iterator[Page]:
    """Open a tab of its own, that shows nothing yet."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, base_url=program.url, **options
    )
    try:
        yield listen_to(context.new_page(), complaints)
    finally:
        context.close()


def show(page: Page, fragment: str = "/tree") -> None:
    """Show a panel, and wait until it has its data."""
    page.goto(f"/observer#{fragment}")
    expect(page.locator(".totals")).to_be_visible()
    expect(page.get_by_text(re.compile("^Waiting for"))).to_have_count(0)


def rows(page: Page) -> Locator:
    return page.locator(".grid .body .row:not(.unknown)")


def row(page: Page, words: str) -> Locator:
    """The rows with this name or label."""
    named = page.locator(".line > b, .line > .more", has_text=re.compile(rf"^{re.escape(words)}( ·|$)"))
    return rows(page).filter(has=named)


def inspector(page: Page) -> Locator:
    return page.locator(".inspector")


def table(page: Page) -> Locator:
    return page.locator(".grid")


def serious(page: Page, axe: str) -> list[str]:
    """What axe-core finds that is serious or critical."""
    page.evaluate(axe)
    found: list[dict[str, Any]] = page.evaluate("async () => (await axe.run()).violations")
    return [f"{one['id']}: {one['nodes'][0]['html']:.200}" for one in found if one["impact"] in ("serious", "critical")]


def axe_source(path: Path = AXE) -> str:
    return path.read_text()
