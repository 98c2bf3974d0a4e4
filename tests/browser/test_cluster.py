"""The cluster demo in a real browser: four workers, and one of them is killed."""

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

VISITORS = 8


@pytest.fixture
def demo() -> Iterator[Program]:
    with serving("demo", "cluster", "--port", "0") as program:
        yield program
        code, printed = program.stop()
        assert code == 0, printed


def everybody_is_there(page: Page) -> None:
    expect(page.locator("#workers > .up li")).to_have_count(VISITORS)
    expect(page.locator("#workers > .up")).to_have_count(4)
    expect(page.get_by_role("status")).to_have_attribute("data-state", "good")


def test_a_worker_is_killed_and_its_visitors_come_back(browser: Browser, demo: Program, tmp_path: Path) -> None:
    complaints: list[str] = []
    page = listen_to(browser.new_page(), complaints)
    page.set_default_timeout(1000 * PATIENCE)
    page.goto(demo.url)
    everybody_is_there(page)
    expect(page.locator("#said li").nth(VISITORS)).to_be_visible()
    page.screenshot(path=tmp_path / "cluster.png")

    crowded = page.locator("#workers > .up").filter(has=page.locator("button:enabled")).first
    number = crowded.get_attribute("data-worker")
    crowded.get_by_role("button").click()
    expect(page.locator(f'#workers > [data-worker="{number}"]')).to_have_class("down")
    everybody_is_there(page)
    page.screenshot(path=tmp_path / "again.png")

    told = page.locator("#workers li li").all_inner_texts()
    assert len(told) == VISITORS
    assert all(re.search(r"missed 0$", one) for one in told), told
    page.get_by_label("Message", exact=True).fill("I am back.")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#said")).to_contain_text("I am back.")
    assert [line for line in complaints if "WebSocket" not in line] == []
    page.close()
