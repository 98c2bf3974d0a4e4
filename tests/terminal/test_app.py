"""The screen of `phxactor top`: each key, with a program that answers at once, on no terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.screen import Screen

from phxactor.terminal._app import Top
from phxactor.terminal._cells import Row, head, line
from phxactor.terminal._link import News
from phxactor.terminal._screens import ProcessScreen, Question
from tests.patience import PATIENCE
from tests.terminal.picture import PICTURE, picture, play
from tests.terminal.programs import KITCHEN, Program


def lines(app: Top) -> list[str]:
    """Return what the list shows, without the spaces at the end."""
    height = min(app.list.size.height, app.list.total)
    return [app.list.render_line(y).text.rstrip() for y in range(height)]


def names(app: Top) -> list[str]:
    """Return the first two words of what the list shows."""
    return [" ".join(one.replace("▾", "").replace("▸", "").split()[:2]) for one in lines(app)]


def text_of(app: Top, widget: str) -> str:
    """Return what stands in a widget of the screen in front, or below it."""
    screen = app.screen if app.screen.query(widget) else app.screen_stack[0]
    return str(screen.query_one(widget).render())


def in_front(app: Top, kind: type[Screen[Any]]) -> bool:
    """Say whether the screen in front is of this kind."""
    return isinstance(app.screen, kind)


async def until(pilot: Pilot[str], condition: Callable[[], bool]) -> None:
    """Wait for what the screen does after a moment."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await pilot.pause(0.01)
    await pilot.pause()


def test_each_key() -> None:
    """Orders, search, detail, kill and pause, one after the other, as somebody presses them."""
    program = Program()

    async def scenario(app: Top, pilot: Pilot[str]) -> None:
        assert "shop.py  processes 302  waiting 1,234  connections 7  crashes 3  restarts 41  lag 4 ms" in text_of(
            app, "#figures"
        )
        assert lines(app)[0].startswith("▾ kitchen  one_for_one 2/30 in 60 s, 41 in all")
        assert lines(app)[1].split()[:4] == ["cook", "0", "Cook.init", "waiting"]
        for key, sort, first in (("m", "mailbox", 3), ("r", "rate", 4), ("c", "cpu", 4), ("s", "restarts", 5)):
            await pilot.press(key)
            assert program.asked[-1]["sort"] == sort
            assert app.list.rows[0].number == first, key
        await pilot.press("n")
        assert program.asked[-1]["sort"] == "name"
        await pilot.press("t", "slash", *"cook 1", "enter")
        await until(pilot, lambda: program.asked[-1]["search"] == "cook 1")
        assert {one.split()[0] for one in names(app)} == {"cook"}
        await pilot.press("down", "up", "enter")
        assert in_front(app, ProcessScreen)
        assert program.done == [("open", 4)]
        for text in ("cook 1 <4>", "mailbox: 1,234", "('order', 7)", "dish = 'soup'", "await oven.bake(dish)"):
            assert text in text_of(app, "#process")
        await pilot.press("m")  # a key of the list
        assert program.asked[-1]["sort"] is None
        await pilot.press("k")
        assert in_front(app, Question)
        await pilot.press("enter")
        assert program.done == [("open", 4)]
        await pilot.press("k", "y", "escape")
        assert program.done == [("open", 4), ("kill", 4), ("open", None)]
        await pilot.press("escape")
        await until(pilot, lambda: program.asked[-1]["search"] == "")

    play(program, scenario)


def test_it_scrolls_over_rows_that_are_not_here() -> None:
    program = Program()

    async def scenario(app: Top, pilot: Pilot[str]) -> None:
        await pilot.press("end")
        await until(pilot, lambda: program.asked[-1]["from"] > 200)
        assert lines(app)[-1].split()[:2] == ["cook", "299"]
        assert app.list.chosen is not None
        assert app.list.chosen.name == "cook 299"
        assert len(app.list.rows) < 120
        await pilot.press("home", "down", "pagedown", "pageup")
        assert app.list.cursor == 1

    play(program, scenario)


def test_rows_are_opened_and_closed() -> None:
    program = Program()

    async def scenario(app: Top, pilot: Pilot[str]) -> None:
        await pilot.press("left")
        assert program.asked[-1]["closed"] == ["p2"]
        await pilot.press("down", "down", "left")
        assert app.list.cursor == 0  # the row above
        assert app.list.chosen is not None
        app.list.rows[0] = attrs.evolve(app.list.rows[0], opened=0)
        await pilot.press("right")
        assert (program.asked[-1]["open"], program.asked[-1]["closed"]) == (["p2"], [])

    play(program, scenario)


def test_paused_rows_stay() -> None:
    program = Program()

    async def scenario(app: Top, pilot: Pilot[str]) -> None:
        await pilot.press("p")
        assert program.asked[-1]["frozen"] is True
        assert "paused" in text_of(app, "#figures")
        changed = [[*one.values()] for one in ({**KITCHEN[0], "name": "changed"}, *KITCHEN[1:90])]
        program.tell(News("rows", {"view": app.asked, "from": 0, "total": 301, "rows": changed}))
        await pilot.pause()
        assert names(app)[0] == "kitchen one_for_one"
        await pilot.press("p")
        program.tell(News("rows", {"view": app.asked, "from": 0, "total": 301, "rows": changed}))
        await pilot.pause()
        assert names(app)[0] == "changed one_for_one"
        program.tell(News("rows", {"view": app.asked - 1, "from": 0, "total": 0, "rows": []}))  # of an earlier view
        await pilot.pause()
        assert app.list.total == 301

    play(program, scenario)


def test_the_cursor_stays_on_its_process() -> None:
    program = Program()

    async def scenario(app: Top, pilot: Pilot[str]) -> None:
        await pilot.press("down", "down")
        moved = [[*one.values()] for one in (KITCHEN[0], KITCHEN[2], KITCHEN[1], *KITCHEN[3:])]
        program.tell(News("rows", {"view": app.asked, "from": 0, "total": 301, "rows": moved}))
        await pilot.pause()
        assert app.list.cursor == 1
        assert app.list.chosen is not None
        assert app.list.chosen.number == 4

    play(program, scenario)


def test_nothing_is_killed_where_actions_are_off() -> None:
    program = Program(actions=False)

    async def scenario(app: Top, pilot: Pilot[str]) -> None:
        await pilot.press("k")
        assert not in_front(app, Question)
        await pilot.press("y", "down", "down", "down", "down", "enter")  # a child that is down
        assert not in_front(app, ProcessScreen)
        assert program.done == []

    play(program, scenario)


def test_it_tells_of_the_connection() -> None:
    program = Program()

    async def scenario(app: Top, pilot: Pilot[str]) -> None:
        program.tell(News("away"))
        await pilot.pause()
        assert text_of(app, "#problem") == "no connection; trying again. This is how it was."
        program.tell(News("connected"))
        await pilot.pause()
        assert text_of(app, "#problem") == ""
        program.tell(News("idle"))
        await pilot.pause()
        assert "asleep" not in text_of(app, "#figures")
        assert "Any key wakes it" in text_of(app, "#problem")
        await pilot.press("down")
        assert program.done == [("here", None)]
        await pilot.press("enter")
        program.tell(News("gone", {"number": app.screen.number, "reason": "there is no process 3 any more"}))  # type: ignore[attr-defined]
        await pilot.pause()
        assert "there is no process 3 any more" in text_of(app, "#process")
        program.tell(News("failed", {"reason": "refused with 403"}))
        await pilot.pause()

    assert play(program, scenario) == "refused with 403"


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_a_line_is_as_wide_as_the_terminal(width: int) -> None:
    assert sum(cell_len(text) for text, _ in head(width, "rate")) == width
    for one in (*KITCHEN[:6], {**KITCHEN[0], "label": "\N{CJK UNIFIED IDEOGRAPH-9EBA}" * 40}):
        for flat in (True, False):
            parts = line(Row(*one.values()), width, flat=flat)
            assert sum(cell_len(text) for text, _ in parts) == width, one


def test_the_picture_of_the_page_is_of_this_screen() -> None:
    """docs/observer.md shows it; `python -m tests.terminal.picture` makes it anew."""
    made = picture()
    for text in ("kitchen", "one_for_one", "MAILBOX", "1,234", "crashed", "search", "pause"):
        assert text in made
        assert text in PICTURE.read_text()
    assert "http" not in PICTURE.read_text().replace("http://www.w3.org/", "")
