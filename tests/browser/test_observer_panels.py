"""The observer's page in a real browser, panel by panel: what each shows, and what its buttons do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.observing import (
    free_port,
    inspector,
    looking,
    row,
    rows,
    show,
    table,
    watched,
)
from tests.demos.program import Program

pytestmark = [pytest.mark.browser, pytest.mark.socket, pytest.mark.slow]


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with watched(free_port(), 300) as program:
        yield program


@pytest.fixture
def page(browser: Browser, program: Program, complaints: list[str]) -> Iterator[Page]:
    with looking(browser, program, complaints) as page:
        yield page


def test_a_process_shows_all_and_its_buttons_work(page: Page) -> None:
    show(page, "/tree?search=room:21")
    row(page, "room:21").click()
    panel = inspector(page)
    expect(panel.locator(".state")).to_contain_text("21")
    expect(panel.locator(".stack")).to_contain_text("receive")
    expect(panel.locator(".relations")).to_contain_text("Hall 1")
    for figure in ("State", "Mailbox", "Messages/s", "CPU", "Handled", "Restarts", "Age", "Memory"):
        expect(panel.locator(".figures dt", has_text=re.compile(f"^{figure}$"))).to_be_visible()
    panel.get_by_role("button", name="Measure").click()
    expect(panel.locator(".figures")).to_contain_text(re.compile(r"at least [\d.]+ (k?)B"))
    panel.get_by_role("button", name="Ask again").click()
    panel.get_by_role("button", name="Collect garbage").click()
    expect(page.locator(".note")).to_contain_text("Garbage collected")
    panel.get_by_role("button", name="Suspend").click()
    expect(panel.locator(".figures .status")).to_contain_text("suspended")
    panel.get_by_role("button", name="Resume").click()
    expect(panel.locator(".figures .status")).to_contain_text("waiting")
    panel.get_by_role("button", name="Kill").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    panel.get_by_role("button", name="Exit").click()
    page.get_by_role("dialog").get_by_role("button", name="Shut down").click()
    expect(panel.locator("p.ended")).to_contain_text("shutdown")

    show(page, "/tree?search=room:22")
    row(page, "room:22").click()
    panel.get_by_role("button", name="Kill").click()
    page.get_by_role("dialog").get_by_role("button", name="Kill").click()
    expect(panel.locator("p.ended")).to_contain_text("killed")


def test_a_process_is_traced(page: Page) -> None:
    show(page, "/tree?search=Mill")
    row(page, "Mill").click()
    inspector(page).get_by_role("button", name="Trace 10 s").click()
    expect(page.locator(".note")).to_contain_text("Tracing")
    expect(inspector(page).locator(".traced li").nth(3)).to_contain_text("turn")


def test_a_mailbox_shows_its_messages(page: Page) -> None:
    show(page, "/tree?search=Clerk")
    row(page, "Clerk").click()
    expect(inspector(page).locator(".messages li")).to_have_count(20)
    expect(inspector(page)).to_contain_text("and 230 others")


def test_charts_have_words_beside_them_and_take_the_colours_of_the_scheme(page: Page) -> None:
    show(page, "/charts")
    expect(page.locator(".chart canvas")).to_have_count(9)
    expect(page.locator(".chart", has_text="Processes")).to_contain_text(re.compile(r"now \d+, most"))
    expect(page.locator(".chart", has_text="Crashes")).to_contain_text("the last at")
    page.get_by_role("button", name="5 min", exact=True).click()
    expect(page.get_by_role("button", name="5 min", exact=True)).to_have_attribute("aria-pressed", "true")
    middle = "() => document.querySelector('.chart canvas').toDataURL()"  # Chromium warns of repeated getImageData
    light = page.evaluate(middle)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"before => ({middle})() !== before", arg=light)
    page.locator(".plot").first.hover()
    expect(page.locator(".chart .under").nth(3)).to_have_text(re.compile(r"^\d\d:\d\d:\d\d"))


def test_the_log_says_why_room_42_crashed(page: Page) -> None:
    show(page, "/log")
    page.get_by_role("searchbox").fill("room:42")
    group = page.locator(".group").filter(has_text="ValueError").first  # others are listed until the search is applied
    expect(group).to_contain_text(re.compile("[0-9]+\N{MULTIPLICATION SIGN}"))
    group.get_by_role("button").first.click()
    expect(group).to_contain_text("people='many'")
    expect(group).to_contain_text("int(message.people)")
    expect(group).to_contain_text("ValueError: invalid literal for int()")
    group.locator("a.process").click()
    expect(inspector(page)).to_be_visible()


def test_the_heaviest_are_found_by_sorting(page: Page) -> None:
    show(page)
    page.get_by_role("button", name="Mailbox").click()
    expect(rows(page).first).to_contain_text("Clerk")
    expect(page.get_by_role("columnheader", name="Mailbox")).to_have_attribute("aria-sort", "descending")
    expect(table(page)).to_have_attribute("role", "grid")
    page.get_by_role("button", name="Msgs/s").click()
    expect(rows(page).first).to_contain_text("Mill")
    page.get_by_role("button", name="Process", exact=True).click()
    expect(page.get_by_role("columnheader", name="Process")).to_have_attribute("aria-sort", "ascending")
    expect(rows(page).first).not_to_contain_text("Mill")
    page.get_by_role("button", name="Back to the tree").click()
    expect(table(page)).to_have_attribute("role", "treegrid")


def test_rows_stay_in_place_while_one_reads(page: Page) -> None:
    show(page, "/tree?sort=rate")
    expect(rows(page).first).to_contain_text("Mill")
    rows(page).nth(3).hover()
    expect(page.locator(".hold")).to_contain_text("Holding")
    before = rows(page).locator("b").all_inner_texts()
    page.wait_for_timeout(2500)
    assert rows(page).locator("b").all_inner_texts() == before
    page.mouse.move(5, 5)
    expect(page.locator(".hold")).to_contain_text("Live")
    page.locator(".hold").click()
    expect(page.locator(".hold")).to_have_attribute("aria-pressed", "true")


def test_a_crash_is_told_and_played_in_slow_motion(page: Page) -> None:
    show(page)
    row(page, "Kitchen").locator(".twist").click()
    page.mouse.move(5, 5)  # rows stay in place while the pointer is over the table
    expect(rows(page).locator(".mark.restarted, .mark.new").first).to_be_visible()
    expect(page.locator("#live")).to_contain_text("Crash:")
    page.locator(".crashes button", has_text="oven").first.click()
    story = page.locator(".story")
    for kind in ("crashed", "exit_signal", "terminated_by_supervisor", "restarted"):
        expect(story.locator(f".steps .{kind}").first).to_be_visible()
    expect(story.locator(".steps .crashed")).to_contain_text("the bread is burnt")
    story.get_by_role("slider").fill("0")
    expect(story.locator(".concerned .restarted")).to_have_count(0)
    story.get_by_role("button", name="Slow motion").click()
    expect(story.get_by_role("button", name="Pause")).to_be_visible()
    expect(story.locator(".concerned .restarted").first).to_be_visible()
    story.get_by_role("button", name="Show in the tree").click()
    story.get_by_role("button", name="Close the story").click()
    expect(story).to_have_count(0)


def test_a_process_is_opened_and_closed_by_keys(page: Page) -> None:
    show(page)
    table(page).focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(inspector(page).get_by_role("heading", level=2)).to_contain_text("root")
    page.keyboard.press("Escape")
    expect(inspector(page)).to_have_count(0)
    expect(table(page)).to_be_focused()


def test_the_slow_reader_is_the_first_of_the_sockets_and_can_be_disconnected(page: Page) -> None:
    show(page, "/sockets")
    expect(rows(page).first).to_contain_text("deaf")
    expect(rows(page).first).to_contain_text("slow reader")
    page.get_by_role("searchbox").fill("talker 3")
    expect(rows(page)).to_have_count(1)
    number = rows(page).first.get_attribute("aria-selected")
    assert number == "false"
    row(page, "talker 3").click()
    expect(inspector(page)).to_contain_text("talker 3")
    before = inspector(page).locator("h2 .pid").inner_text()
    page.get_by_role("button", name="Disconnect talker 3").click()
    page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    expect(page.locator(".note")).to_contain_text("is disconnected")
    expect(inspector(page).locator("p.ended")).to_be_visible()
    page.mouse.move(5, 5)  # rows stay in place while the pointer is over them
    expect(page.locator(".hold")).to_contain_text("Live")
    row(page, "talker 3").click()
    expect(inspector(page).locator("h2 .pid")).not_to_have_text(before)


def test_topics_show_members_and_presence_and_kick(page: Page) -> None:
    show(page, "/topics")
    row(page, "chat:0").click()
    panel = inspector(page)
    expect(panel.locator(".members").first).to_contain_text("chat:0 as talker 0")
    expect(panel.locator(".members").last).to_contain_text("Guests")
    before = panel.locator(".members a").first.inner_text()
    panel.get_by_role("button", name="Kick").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Kick").click()
    expect(page.locator(".note")).to_contain_text("is kicked")
    expect(panel.locator(".members a", has_text=re.compile(f"^{re.escape(before)}$"))).to_have_count(0)
    page.get_by_role("button", name="Members").click()
    page.get_by_role("button", name="Msgs/s").click()
    expect(page.get_by_role("columnheader", name="Msgs/s")).to_have_attribute("aria-sort", "descending")


def test_nodes_say_that_there_are_none(page: Page) -> None:
    show(page, "/nodes")
    expect(page.locator(".nodes-panel")).to_contain_text("This program knows no other nodes.")
