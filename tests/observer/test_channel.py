"""The tree on a channel: when it is pushed, and that it keeps the contract of channels."""

from __future__ import annotations

from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from phxactor import KILL, Shutdown, Socket, channel, open_runtime, self_pid, spawn
from phxactor.observer import TreeChannel, snapshot, tree
from phxactor.runtime.events import exited, spawned
from phxactor.testing import ClientChannel, connect


class PageSocket(Socket):
    """That of a page which shows the tree."""

    channels = (channel("tree", TreeChannel),)


async def joined() -> ClientChannel:
    """Join, and wait until nothing is new any more."""
    page = await (await connect(PageSocket)).join("tree")
    assert page.response["text"].startswith("main <2>")
    await pushes(page)
    return page


async def pushes(page: ClientChannel) -> list[float]:
    """Take what is pushed until nothing is for a while; return the times."""
    came = page.client.inbox.all
    start, seen = len(came), -1
    while seen < len(came):
        seen = len(came)
        await trio.sleep(2.5)
    await page.receive_all()
    return [arrival.at for arrival in came[start:]]


async def test_a_change_is_pushed_soon(autojump_clock: MockClock) -> None:
    async with open_runtime():
        page = await joined()
        began = trio.current_time()
        pid = spawn(trio.sleep_forever)
        payload = await page.assert_push("tree", within=1)
        assert f"sleep_forever <{pid.number}>" in payload["text"]
        assert payload["text"] == tree(snapshot())
        assert trio.current_time() - began == pytest.approx(0.05)


async def test_changes_are_pushed_once_a_second_at_the_most(autojump_clock: MockClock) -> None:
    async with open_runtime():
        page = await joined()
        began = trio.current_time()

        async def commotion() -> None:
            for _ in range(50):
                spawn(trio.sleep, 0.3)
                await trio.sleep(0.1)

        spawn(commotion)
        times = await pushes(page)
        assert times[0] - began == pytest.approx(0.05)
        assert times[-1] - began > 5
        assert all(after - before > 0.999 for before, after in pairwise(times))


async def test_what_nobody_tells_of_is_seen_too(autojump_clock: MockClock) -> None:
    """No event says that a label is new."""
    async with open_runtime():
        page = await joined()
        self_pid().label = "relabelled"
        payload = await page.assert_push("tree", within=5)
        assert payload["text"].startswith("main <2> · relabelled")


async def test_a_client_that_leaves_hears_so(autojump_clock: MockClock) -> None:
    async with open_runtime():
        page = await joined()
        await page.assert_reply(page.leave())
        assert await page.assert_left() == Shutdown("left")


async def test_it_takes_no_other_messages(autojump_clock: MockClock) -> None:
    async with open_runtime():
        page = await joined()
        await page.assert_reply(page.push("kill", {"pid": 2}), "error", {"reason": "the tree channel takes no events"})


@pytest.mark.parametrize(("reason", "end"), [("normal", Shutdown("closed")), ("dropped", "dropped")])
async def test_it_ends_with_its_connection(reason: str, end: object, autojump_clock: MockClock) -> None:
    """C3."""
    async with open_runtime() as runtime:
        page = await joined()
        if reason == "normal":
            await page.client.close()
        page.client.transport_pid.exit(reason)
        assert await runtime.ended(page.pid) == end


async def test_nothing_is_left_behind(autojump_clock: MockClock) -> None:
    before = len(spawned.handlers), len(exited.handlers)
    async with open_runtime():
        page = await joined()
        assert len(spawned.handlers) == before[0] + 1
        page.pid.exit(KILL)
        await page.assert_crashed()
        assert (len(spawned.handlers), len(exited.handlers)) == before


async def test_other_runtimes_do_not_wake_it(autojump_clock: MockClock) -> None:
    async with open_runtime():
        page = await joined()

        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def other() -> None:
                async with open_runtime():
                    spawn(trio.sleep, 0.1)
                    await trio.sleep(0.5)

            await page.refute_push("tree", within=2)
