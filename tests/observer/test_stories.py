"""A crash as it spread: which processes it ended, and what supervisors did about it, in order."""

from __future__ import annotations

import logging

import pytest
import trio
from trio.testing import MockClock

from phxactor import GenServer, Supervisor, cast, spawn, whereis
from phxactor.runtime import link, self_pid
from tests.observer.pages import WITHIN, Page, page
from tests.observer.trees import supervisor, worker


class Fragile(GenServer):
    """Raises what it is sent."""

    async def handle_cast(self, request: object) -> None:
        raise ValueError(request)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "phxactor")


async def crash(name: str, program: Page) -> list[tuple[str, str]]:
    """Have a process crash; return the kinds and names of the story that a viewer is sent."""
    tree = await program.open("tree")
    await trio.sleep(2)
    cast(name, "no luck")
    story = await tree.assert_push("crash", dict, within=WITHIN)
    times = [step[0] for step in story["steps"]]
    assert times == sorted(times)
    again = await program.open("tree")
    assert [one["id"] for one in again.response["crashes"]] == [story["id"]]
    assert story["root"] == story["steps"][0][2]
    assert set(story["above"]) == {str(step[4]) for step in story["steps"] if step[4] is not None}
    assert all(story["above"].values())
    return [(step[1], step[3]) for step in story["steps"]]


async def test_a_child_crashes_and_is_restarted(autojump_clock: MockClock) -> None:
    async with page() as program:
        await Supervisor.start_link([worker("a"), Fragile.child_spec(name="b")], name="top")
        assert await crash("b", program) == [("crashed", "b"), ("restarted", "b")]


async def test_the_children_that_its_strategy_restarts_belong_to_it(autojump_clock: MockClock) -> None:
    async with page() as program:
        children = [worker("a"), Fragile.child_spec(name="b"), worker("c")]
        await Supervisor.start_link(children, strategy="rest_for_one", name="top")
        assert await crash("b", program) == [
            ("crashed", "b"),
            ("terminated_by_supervisor", "c"),
            ("restarted", "b"),
            ("restarted", "c"),
        ]


async def test_links_carry_it(autojump_clock: MockClock) -> None:
    async def linked() -> None:
        link(whereis("b"))  # type: ignore[arg-type]
        await trio.sleep_forever()

    async with page() as program:
        await Supervisor.start_link([Fragile.child_spec(name="b")], name="top")
        spawn(linked)
        assert await crash("b", program) == [
            ("crashed", "b"),
            ("exit_signal", "test_links_carry_it.<locals>.linked"),
            ("restarted", "b"),
        ]


async def test_a_supervisor_gives_up_and_the_one_above_restarts_it(autojump_clock: MockClock) -> None:
    async with page() as program:
        start = (Supervisor.start_link, ([worker("a"), Fragile.child_spec(name="b")],), {"max_restarts": 0})
        team = supervisor("team").__class__(id="team", start=start, type="supervisor")
        await Supervisor.start_link([team], name="top")
        seen = await crash("b", program)
        assert [kind for kind, _ in seen] == ["crashed", "gave_up", "terminated_by_supervisor", "ended", "restarted"]
        assert seen[0][1] == "b"
        assert seen[2][1] == "a"
        assert seen[4][1] == "team"


async def test_an_orderly_end_is_no_story(autojump_clock: MockClock) -> None:
    async with page() as program:
        await Supervisor.start_link([worker("a", name="a")], name="top")
        tree = await program.open("tree")
        cast("a", "normal")
        await tree.refute_push("crash", within=WITHIN)
        assert self_pid().alive


async def test_a_crash_loop_makes_few_stories(autojump_clock: MockClock) -> None:
    async def fail() -> None:
        raise ValueError("again")

    async with page() as program:
        for _ in range(100):
            spawn(fail)
        await trio.sleep(1)
        log = await program.open("log")
        assert len((await program.open("tree")).response["crashes"]) <= 10
        (group,) = log.response["groups"]
        assert (group["kind"], group["count"]) == ("crash", 100)
        assert group["reason"] == "ValueError: again"
        assert "in fail" in group["text"]
