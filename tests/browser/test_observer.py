"""The observer's page in a real browser, over a program of 10,000 processes that crash and start again meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, CDPSession, Page, WebSocketRoute, expect

from tests.browser.observing import (
    AXE,
    PHONE,
    ROOMS,
    axe_source,
    free_port,
    inspector,
    looking,
    row,
    rows,
    serious,
    show,
    table,
    watched,
)
from tests.browser.pictures import PICTURES, unlikeness
from tests.demos.program import Program

pytestmark = [pytest.mark.browser, pytest.mark.socket, pytest.mark.slow]

SCROLLS = 120
PER_SCROLL = 0.1
"""Seconds of CPU time of the page's main thread for one step of scrolling at most."""


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with watched(free_port()) as program:
        yield program


@pytest.fixture
def page(browser: Browser, program: Program, complaints: list[str]) -> Iterator[Page]:
    with looking(browser, program, complaints) as page:
        yield page


def test_the_tree_opens_is_searched_and_walked_by_keys(page: Page) -> None:
    show(page)
    expect(page.locator(".totals")).to_contain_text(re.compile(r"Processes10,\d{3}"))
    expect(row(page, "Halls")).to_have_attribute("aria-expanded", "false")
    expect(row(page, "Kitchen")).to_contain_text("rest_for_one")
    expect(row(page, "Kitchen")).to_contain_text(re.compile(r"\d+/30 in 60 s"))
    row(page, "Halls").locator(".twist").click()
    expect(row(page, "Hall 9")).to_have_attribute("aria-level", "4")
    row(page, "Clients").locator(".twist").click()
    expect(row(page, "bell")).to_contain_text("down")

    table(page).focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".row.cursor b")).to_have_text("root")
    assert table(page).get_attribute("aria-activedescendant") == page.locator(".row.cursor").get_attribute("id")
    page.keyboard.press("ArrowLeft")
    expect(row(page, "Halls")).to_have_count(0)
    page.keyboard.press("ArrowRight")
    expect(row(page, "Guests")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".row.cursor b")).to_have_text("Guests")

    page.keyboard.press("/")
    page.keyboard.type("room:7777")
    expect(row(page, "room:7777")).to_have_count(1)
    expect(row(page, "Hall 7")).to_have_count(1)
    assert "search=room" in page.url
    expect(page.locator(".toolbar .count")).to_have_text(re.compile(r"^1 match"))
    page.get_by_role("searchbox").fill("no such thing")
    expect(page.get_by_text("Nothing has that in its name.")).to_be_visible()


def cpu_seconds(chromium: CDPSession) -> float:
    """Return the CPU time of the page's main thread so far."""
    metrics = chromium.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


def test_ten_thousand_rows_scroll_without_a_stall(page: Page) -> None:
    show(page)
    page.get_by_role("button", name="Open all").click()
    expect(page.locator(".toolbar .count")).to_have_text(re.compile(r"1\d,\d{3} rows"))
    chromium = page.context.new_cdp_session(page)
    chromium.send("Performance.enable", {"timeDomain": "threadTicks"})  # CPU time: the machine may be busy
    before = cpu_seconds(chromium)
    elements = page.evaluate(
        """async (steps) => {
            const grid = document.querySelector(".grid");
            for (let step = 0; step < steps; step += 1) {
                grid.scrollTop += 700;
                await new Promise(requestAnimationFrame);
            }
            return document.querySelectorAll("*").length;
        }""",
        SCROLLS,
    )
    assert cpu_seconds(chromium) - before <= SCROLLS * PER_SCROLL
    assert elements < 3000, "only the rows that are seen are in the document"
    expect(rows(page).nth(10)).to_be_visible()
    table(page).focus()
    page.keyboard.press("End")
    expect(page.locator(".row.cursor:not(.unknown)")).to_be_visible()
    assert int(page.locator(".row.cursor").get_attribute("aria-rowindex") or 0) > ROOMS


def test_the_cursor_stays_in_a_list_that_shrinks_before_its_row_has_come(page: Page) -> None:
    many = re.compile(r'"total":1\d,?\d{3}')
    held: list[bool] = []

    def relay(to_page: WebSocketRoute) -> None:
        server = to_page.connect_to_server()
        server.on_message(lambda text: None if held and many.search(str(text)) else to_page.send(text))

    page.route_web_socket(re.compile("/socket/websocket"), relay)
    show(page)
    page.get_by_role("button", name="Open all").click()
    expect(page.locator(".toolbar .count")).to_have_text(re.compile(r"1\d,\d{3} rows"))
    held.append(True)
    table(page).focus()
    page.keyboard.press("End")
    page.get_by_role("searchbox").fill("room:42")
    expect(page.locator(".row.cursor:not(.unknown)")).to_be_visible()


def test_a_process_is_shown_where_it_stands_in_the_tree(page: Page) -> None:
    show(page, "/tree?search=room:5555")
    row(page, "room:5555").click()
    inspector(page).get_by_role("link", name="Show in the tree").click()
    found = page.locator(".row.cursor").filter(has_text="room:5555")
    expect(found).to_have_attribute("aria-rowindex", re.compile(r"^\d{3,}$"))  # among its matches it is one of few
    expect(found).to_be_in_viewport()
    expect(page.get_by_role("searchbox")).to_have_value("")


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core has not been fetched: `make page` does that")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, program: Program, complaints: list[str], scheme: str) -> None:
    axe = axe_source()
    with looking(browser, program, complaints, scheme=scheme, bypass_csp=True) as page:  # type: ignore[arg-type]
        show(page)
        number = row(page, "Clerk").locator(".pid").inner_text()
        for fragment in (
            "/tree",
            f"/tree?process={number}",
            "/sockets",
            "/topics?topic=chat:0",
            "/nodes",
            "/charts",
            "/log",
        ):
            show(page, fragment)
            assert serious(page, axe) == [], fragment


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_on_a_phone(browser: Browser, program: Program, complaints: list[str], scheme: str) -> None:
    with looking(browser, program, complaints, PHONE, scheme, has_touch=True) as page:  # type: ignore[arg-type]
        for panel in ("tree", "sockets", "topics", "nodes", "charts", "log"):
            show(page, f"/{panel}")
            assert page.evaluate("document.scrollingElement.scrollWidth") <= PHONE[0], panel
            expect(page.get_by_role("navigation")).to_be_in_viewport()
        show(page)
        row(page, "Clerk").tap()
        expect(inspector(page).get_by_role("heading", level=2)).to_be_in_viewport()
        box = inspector(page).bounding_box()
        assert box is not None
        assert box["width"] == PHONE[0]
        inspector(page).get_by_role("button", name="Close").tap()
        expect(inspector(page)).to_have_count(0)


def test_it_looks_as_in_its_documentation(browser: Browser, program: Program, complaints: list[str]) -> None:
    taken = {}
    for picture in (one for one in PICTURES if one.name in ("tree", "busiest", "phone")):
        with looking(browser, program, complaints, picture.size, picture.scheme) as page:
            taken[picture.name] = picture.take(page)
        assert unlikeness(browser, taken[picture.name], picture.path.read_bytes()) < 0.06, picture.name
    assert unlikeness(browser, taken["tree"], taken["busiest"]) > 0.3, "one is light, and one is dark"
