"""The chat demo in a real browser: two tabs, a crash, the tree, and how it looks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import listen_to
from tests.demos.program import Program, serving
from tests.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.socket]

Tab = Callable[[str], Page]


@pytest.fixture
def demo() -> Iterator[Program]:
    with serving("demo", "--port", "0") as program:
        yield program
        code, printed = program.stop()
        assert code == 0, printed


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.set_default_timeout(1000 * PATIENCE)
    yield context
    context.close()


@pytest.fixture
def open_tab(demo: Program, context: BrowserContext, complaints: list[str]) -> Tab:
    """Opens a tab in which somebody with this name has joined."""

    def open_tab(name: str) -> Page:
        page = listen_to(context.new_page(), complaints)
        page.add_init_script(f"sessionStorage.getItem('name') ?? sessionStorage.setItem('name', {name!r})")
        page.goto(demo.url)
        joined(page)
        return page

    return open_tab


def joined(page: Page) -> str:
    """Wait until the tab's channel has joined; returns the number of its process."""
    status = page.get_by_role("status")
    expect(status).to_have_attribute("data-state", "good")
    found = re.search(r"<(\d+)>", status.text_content() or "")
    assert found is not None
    return found[1]


def say(page: Page, text: str) -> None:
    """Say it, and wait until it is there."""
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_label("Message", exact=True)).to_have_value("")


def tree(page: Page) -> str:
    return page.get_by_label("Processes").inner_text()


def test_two_tabs_chat_and_one_crashes(open_tab: Tab, demo: Program, tmp_path: Path) -> None:
    ada, grace = open_tab("Ada"), open_tab("Grace")
    say(ada, "Is anybody there?")
    say(grace, "Yes, in the other tab.")
    say(ada, "Watch the tree: I am going to crash my channel.")
    for page in (ada, grace):
        expect(page.locator("#messages .body")).to_have_count(3)
        expect(page.locator("#tree")).to_contain_text("chat:lobby as Ada")
        expect(page.locator("#tree")).to_contain_text("chat:lobby as Grace")
        expect(page.locator("#here")).to_have_text("here: Ada, Grace")
    expect(ada.locator("#messages .mine")).to_have_count(2)
    expect(grace.locator("#messages .mine")).to_have_count(1)
    ada.screenshot(path=tmp_path / "chat.png")

    before, of_grace = joined(ada), joined(grace)
    assert f"<{before}> · chat:lobby as Ada" in tree(ada)
    ada.get_by_role("button", name="Crash my channel").click()
    expect(ada.get_by_role("status")).to_contain_text(f"process <{before}>, crashed")
    expect(grace.locator("#messages")).to_contain_text("Ada's channel crashed")
    expect(grace.locator("#tree .crashed")).to_contain_text(f"<{before}> · chat:lobby as Ada")
    ada.screenshot(path=tmp_path / "crashed.png")

    after = joined(ada)
    assert after != before
    assert joined(grace) == of_grace
    for page in (ada, grace):
        expect(page.locator("#tree")).to_contain_text(f"<{after}> · chat:lobby as Ada")
        expect(page.locator("#tree")).not_to_contain_text(f"<{before}>")
    expect(ada.locator("#tree .mine")).to_contain_text(f"<{after}>")
    say(ada, "I am back.")
    say(grace, "I never went away.")
    for page in (ada, grace):
        expect(page.locator("#messages .body")).to_have_count(5)
        expect(page.locator("#messages .body").last).to_have_text("I never went away.")
    ada.screenshot(path=tmp_path / "again.png")

    ada.close()
    expect(grace.locator("#messages")).to_contain_text("Ada has left")
    expect(grace.locator("#tree")).not_to_contain_text("chat:lobby as Ada")
    expect(grace.locator("#here")).to_have_text("here: Grace")
    _, printed = demo.stop()
    assert "RuntimeError: Ada pressed the button" in printed


def test_what_people_write_is_text(open_tab: Tab) -> None:
    evil = "<img src=x onerror=alert(1)>"
    mallory, ada = open_tab(evil[:24]), open_tab("Ada")
    mallory.on("dialog", lambda dialog: pytest.fail(dialog.message))
    say(mallory, evil)
    expect(ada.locator("#messages .body")).to_have_text(evil)
    expect(ada.locator("#messages b")).to_have_text(evil[:24])
    expect(ada.locator("#tree")).to_contain_text(f"as {evil[:24]}")
    assert ada.locator("#messages img, #tree img").count() == 0


def test_a_new_name_is_kept_for_the_next_join(open_tab: Tab) -> None:
    ada, grace = open_tab("Ada"), open_tab("Grace")
    ada.get_by_label("Your name").fill("Countess")
    ada.get_by_label("Your name").press("Enter")
    expect(grace.locator("#messages")).to_contain_text("Ada is now Countess")
    ada.wait_for_function("sessionStorage.getItem('name') === 'Countess'")
    ada.reload()
    joined(ada)
    expect(ada.get_by_label("Your name")).to_have_value("Countess")
    say(ada, "It is me.")
    expect(grace.locator("#messages b")).to_have_text("Countess")


def test_the_server_refuses_what_the_page_would_not_send(open_tab: Tab) -> None:
    ada = open_tab("Ada")
    ada.locator("#body").evaluate("input => input.removeAttribute('maxlength')")
    ada.get_by_label("Message", exact=True).fill("x" * 501)
    ada.get_by_role("button", name="Send").click()
    expect(ada.get_by_role("alert")).not_to_be_empty()
    say(ada, "shorter")
    expect(ada.get_by_role("alert")).to_be_empty()


def test_a_server_that_comes_back_finds_its_clients(
    context: BrowserContext, demo: Program, open_tab: Tab, complaints: list[str]
) -> None:
    ada = open_tab("Ada")
    demo.stop()
    expect(ada.get_by_role("status")).to_contain_text("no connection")
    with serving("demo", "--port", demo.port):
        joined(ada)
        say(ada, "Welcome back!")
        expect(ada.locator("#messages .body").last).to_have_text("Welcome back!")
    complaints.clear()  # the browser itself complains of connections that were refused


@pytest.mark.parametrize(
    ("scheme", "size"),
    [("light", (1600, 900)), ("dark", (1024, 600)), ("light", (800, 800)), ("dark", (390, 844)), ("light", (320, 568))],
    ids=str,
)
def test_the_page_fits(
    browser: Browser, demo: Program, scheme: Literal["light", "dark"], size: tuple[int, int], tmp_path: Path
) -> None:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    try:
        page = context.new_page()
        page.goto(demo.url)
        joined(page)
        for number in range(6):
            say(page, f"Message {number}: " + "long " * 25)
        say(page, "x" * 200)
        expect(page.locator("#messages .body").last).to_be_in_viewport()
        page.screenshot(path=tmp_path / "page.png", full_page=True)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= size[0]
        assert page.evaluate("document.getElementById('messages').scrollWidth <= messages.clientWidth")
    finally:
        context.close()
