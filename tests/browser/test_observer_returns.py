"""The observer's page when its program ends and starts again, when its tab is hidden, and what a label may hold."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.observing import free_port, inspector, looking, row, show, watched
from tests.browser.watched.rooms import MALLORY

pytestmark = [pytest.mark.browser, pytest.mark.socket, pytest.mark.slow]


TOKEN = "a-token-of-the-tests"


def test_it_comes_back_with_its_program_to_the_same_panel_and_process(browser: Browser, complaints: list[str]) -> None:
    port = free_port()
    with watched(port, 50) as first, looking(browser, first, complaints) as page:
        show(page, "/tree?search=Clerk")
        row(page, "Clerk").click()
        expect(inspector(page).locator(".figures")).to_be_visible()
        address = page.url
        first.stop()
        expect(page.locator("#connection")).to_contain_text("No connection")
        expect(page.locator("#live")).to_contain_text("The connection is lost")
        with watched(port, 50):
            expect(page.locator("#restarted")).to_be_visible()
            expect(page.locator("#connection")).to_have_count(0)
            expect(row(page, "Clerk")).to_be_visible()
            expect(inspector(page).locator(".figures")).to_contain_text(re.compile("250"))
            assert page.url == address
    complaints.clear()  # the browser itself complains of connections that were refused


def test_a_hidden_tab_leaves_its_topics(browser: Browser, complaints: list[str]) -> None:
    with watched(free_port(), 50) as program, looking(browser, program, complaints) as page:
        sent: list[str] = []
        page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
        show(page)
        for hidden, told in (("true", "phx_leave"), ("false", "phx_join")):
            before = len(sent)
            page.evaluate(
                """hidden => {
                    Object.defineProperty(document, "hidden", { value: hidden === "true", configurable: true });
                    document.dispatchEvent(new Event("visibilitychange"));
                }""",
                hidden,
            )
            for topic in ("observer:tree", "observer:summary"):
                while not any(topic in frame and told in frame for frame in sent[before:]):
                    page.wait_for_timeout(20)
        expect(row(page, "Clerk")).to_be_visible()


def test_what_a_label_holds_is_text(browser: Browser, complaints: list[str]) -> None:
    with watched(free_port(), 50) as program, looking(browser, program, complaints) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        show(page, "/tree?search=onerror")
        row(page, MALLORY).click()
        expect(inspector(page).get_by_role("heading", level=2)).to_contain_text(MALLORY)
        assert page.locator("main img").count() == 0


def test_a_token_is_asked_for_and_leaves_the_address(browser: Browser, complaints: list[str]) -> None:
    with watched(free_port(), 50, TOKEN) as program:
        with looking(browser, program, complaints) as page:
            page.goto("/observer")
            page.get_by_label("token").fill(TOKEN)
            page.get_by_role("button", name="Open", exact=True).click()
            expect(row(page, "Clerk")).to_be_visible()
        complaints.clear()  # the browser itself complains of connections that were refused
        with looking(browser, program, complaints) as page:
            page.goto(f"/observer#token={TOKEN}")
            expect(row(page, "Clerk")).to_be_visible()
            assert TOKEN not in page.url
