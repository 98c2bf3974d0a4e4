"""The page of a project that `phxactor new` has made."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import listen_to
from tests.demos.program import run, serving

pytestmark = [pytest.mark.browser, pytest.mark.socket]


def test_two_pages_talk(browser: Browser, complaints: list[str], tmp_path: Path) -> None:
    assert run("new", "my_board", cwd=tmp_path)[0] == 0
    with serving("serve", "my_board.app:application", "--port", "0", cwd=tmp_path / "my_board") as program:
        ann, bob = (listen_to(browser.new_page(), complaints) for _ in range(2))
        for page in (ann, bob):
            page.goto(program.url)
            expect(page.locator("#state")).to_contain_text("connected as guest")
        ann.fill("input", "<b>hello</b>")
        ann.press("input", "Enter")
        for page in (ann, bob):
            expect(page.locator("#messages p")).to_contain_text(": <b>hello</b>")
        bob.reload()
        expect(bob.locator("#messages p")).to_have_count(1)
        for page in (ann, bob):
            page.close()
