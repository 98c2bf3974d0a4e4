"""The rooms demo in a real browser: a worker is drained, then one is killed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import listen_to
from tests.demos.program import Program, serving
from tests.patience import PATIENCE

pytestmark = [
    pytest.mark.browser,
    pytest.mark.socket,
    pytest.mark.slow,
]

ROOMS = 12


@pytest.fixture
def demo() -> Iterator[Program]:
    with serving("demo", "rooms", "--port", "0") as program:
        yield program
        code, printed = program.stop()
        assert code == 0, printed


def all_is_well(page: Page) -> None:
    expect(page.locator("#workers > .up")).to_have_count(4)
    expect(page.locator("#workers > .up .room")).to_have_count(ROOMS)
    expect(page.get_by_role("status")).to_have_text(re.compile(r"^you are in worker \d$"))


def end(page: Page, way: str) -> str:
    """Press a button of the worker with the most rooms, of those where a visitor is; return its number."""
    cards = page.locator("#workers > .up").filter(has=page.locator(f"button.{way}:enabled"))
    counts = [cards.nth(number).locator(".room").count() for number in range(cards.count())]
    card = cards.nth(counts.index(max(counts)))
    number = card.get_attribute("data-worker")
    assert number is not None
    card.locator(f"button.{way}").click()
    return number


def test_a_drained_worker_loses_nothing_and_a_killed_one_what_it_had(
    browser: Browser, demo: Program, tmp_path: Path
) -> None:
    complaints: list[str] = []
    page = listen_to(browser.new_page(), complaints)
    page.set_default_timeout(1000 * PATIENCE)
    page.goto(demo.url)
    all_is_well(page)

    number = end(page, "drain")
    expect(page.locator("#said .moved").filter(has_text=f"worker {number} →").first).to_be_visible()
    all_is_well(page)
    assert page.locator("#said .lost").count() == 0
    expect(page.locator("#sum")).to_have_text(re.compile(r"^\d+ counted, 0 lost"))

    number = end(page, "kill")
    expect(page.locator("#said .lost").filter(has_text=f"worker {number} →").first).to_be_visible()
    all_is_well(page)
    expect(page.locator("#sum")).to_have_text(re.compile(r"^\d+ counted, [1-9]\d* lost"))
    page.screenshot(path=tmp_path / "rooms.png")

    room = page.locator(".room").first
    room.focus()
    before = int(re.sub(r"\D", "", room.inner_text()))
    page.keyboard.press("Enter")
    expect(room).not_to_have_text(re.compile(rf"\b{before}$"))
    assert [line for line in complaints if "WebSocket" not in line] == []
    page.close()
