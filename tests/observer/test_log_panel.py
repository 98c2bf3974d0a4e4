"""The log on the page: what went wrong, grouped, with its traceback and its last message; what is secret is hidden."""

from __future__ import annotations

import logging
from itertools import count

import pytest
import trio
from trio.testing import MockClock

from phxactor import Supervisor, cast, spawn
from tests.observer.pages import WITHIN, page
from tests.observer.test_stories import Fragile


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "phxactor")


async def test_a_crash_comes_as_a_group_and_grows(autojump_clock: MockClock) -> None:
    async with page() as program:
        await Supervisor.start_link([Fragile.child_spec(name="b")], name="top")
        log = await program.open("log")
        assert log.response == {"groups": []}
        cast("b", "no luck")
        group = await log.assert_push("group", dict, within=WITHIN)
        assert (group["kind"], group["count"], group["reason"]) == ("crash", 1, "ValueError: no luck")
        assert group["message"] == "cast 'no luck'"
        assert "handle_cast" in group["text"]
        await trio.sleep(2)
        cast("b", "again")
        more = await log.assert_push("group", dict, within=WITHIN)
        assert (more["id"], more["count"], more["reason"]) == (group["id"], 2, "ValueError: again")
        whole = await log.ask("more", {"id": group["id"]})
        assert isinstance(whole.payload, dict)
        assert whole.payload["text"] == more["text"]
        assert (await log.ask("more", {"id": 77})).status == "error"


async def test_the_text_of_a_loop_is_made_seldom(autojump_clock: MockClock) -> None:
    async with page() as program:
        await Supervisor.start_link([Fragile.child_spec(name="b")], name="top", max_restarts=1000)

        numbers = count()

        async def shown_after(seconds: float) -> object:
            for _ in range(int(seconds * 10)):
                cast("b", next(numbers))
                await trio.sleep(0.1)
            groups = (await program.open("log")).response["groups"]
            return next(group["message"] for group in groups if group["kind"] == "crash")

        shown = [await shown_after(1.0) for _ in range(20)]
        assert 2 <= len(set(shown)) <= 4


async def test_messages_are_redacted(autojump_clock: MockClock) -> None:
    async with page(redact=lambda value: str(value).replace("secret", "***")) as program:
        await Supervisor.start_link([Fragile.child_spec(name="b")], name="top")
        log = await program.open("log")
        cast("b", "the secret")
        assert (await log.assert_push("group", dict, within=WITHIN))["message"] == "cast 'the ***'"


async def test_what_redact_fails_to_hide_is_not_shown(autojump_clock: MockClock) -> None:
    def redact(_: object) -> object:
        raise KeyError("secret")

    async with page(redact=redact) as program:
        await Supervisor.start_link([Fragile.child_spec(name="b")], name="top")
        log = await program.open("log")
        cast("b", "the secret")
        assert (await log.assert_push("group", dict, within=WITHIN))["message"] == "cast hidden: redact raised KeyError"


async def test_charts_have_the_time_before_anybody_looked(autojump_clock: MockClock) -> None:
    async with page() as program:
        await trio.sleep(31)
        spawn(trio.sleep_forever)
        charts = await program.open("charts")
        assert charts.response["step"] == 5.0
        assert len(charts.response["series"]["processes"]) == 6
        assert charts.response["series"]["messages"] == [None] * 6
        point = await charts.assert_push("point", dict, within=WITHIN)
        assert point["values"]["processes"] > charts.response["series"]["processes"][-1]
        await trio.sleep(60)
        later = await program.open("charts")
        assert later.response["series"]["messages"][-1] is not None
