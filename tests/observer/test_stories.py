"""A crash as it spread: which processes it ended, and what supervisors did about it, in order."""

from __future__ import annotations

import logging

import pytest
import trio
from trio.testing import MockClock

from phxactor import ChildSpec, GenServer, Supervisor, cast, spawn, whereis
from phxactor.observer._stories import BURST, QUIET, REFILL, Stories
from phxactor.runtime import events as processes
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


async def test_a_crash_without_a_story_is_not_told_as_another_ones(autojump_clock: MockClock) -> None:
    async with page() as program:
        names = [f"child {number}" for number in range(BURST + 1)]
        children = [ChildSpec(id=name, start=(Fragile.start_link, (), {"name": name})) for name in names]
        await Supervisor.start_link(children, name="top", max_restarts=100)
        for name in names:
            cast(name, "no luck")
            await trio.sleep(0.01)
        await trio.sleep(0.1)
        stories = (await program.open("tree")).response["crashes"]
        seen = [[(step[1], step[3]) for step in story["steps"]] for story in stories]
        assert seen == [[("crashed", name), ("restarted", name)] for name in names[:BURST]]


async def test_one_more_story_may_begin_after_a_while(autojump_clock: MockClock) -> None:
    async def fail() -> None:
        raise ValueError("again")

    async with page() as program:
        for _ in range(BURST + 1):
            spawn(fail)
        await trio.sleep(REFILL + 1)
        for _ in range(2):
            spawn(fail)
        await trio.sleep(1)
        assert len((await program.open("tree")).response["crashes"]) == BURST + 1


async def test_the_ends_of_processes_are_listened_to_only_while_a_story_is_open(autojump_clock: MockClock) -> None:
    def listening() -> bool:
        return any(isinstance(getattr(one, "__self__", None), Stories) for one in processes.exited.handlers)

    async def fail() -> None:
        raise ValueError("again")

    async with page():
        assert not listening()
        spawn(fail)
        await trio.sleep(0.1)
        assert listening()
        await trio.sleep(QUIET + 1.5)
        assert not listening()
        spawn(fail)
        await trio.sleep(0.1)
        assert listening()
    assert not listening()
