"""The tree on a channel: when it is pushed, and that it keeps the contract of channels."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from phxactor import KILL, Exit, Pid, Shutdown, SocketClose, monitor, open_runtime, receive, self_pid, spawn
from phxactor.observer import TreeChannel, snapshot, tree
from phxactor.runtime import Down
from phxactor.runtime.events import exited, spawned
from tests.demos.transport import Client, client


async def joined() -> Client:
    """Join, and wait until nothing is new any more."""
    page = client("tree")
    answer = await page.join(TreeChannel)
    assert isinstance(answer, dict)
    assert answer["text"].startswith("main <2>")
    await pushes(page)
    return page


async def pushes(page: Client) -> list[float]:
    """Take what is pushed until nothing is for a while; return the times."""
    times = []
    with suppress(TimeoutError):
        while True:
            await page.next(timeout=2.5)
            times.append(trio.current_time())
    return times


async def end_of(pid: Pid | None) -> object:
    assert pid is not None
    watch = monitor(pid)
    down = await receive(lambda message: isinstance(message, Down) and message.ref is watch)
    assert isinstance(down, Down)
    return down.reason


async def test_a_change_is_pushed_soon(autojump_clock: MockClock) -> None:
    async with open_runtime():
        page = await joined()
        began = trio.current_time()
        pid = spawn(trio.sleep_forever)
        event, payload = await page.next()
        assert event == "tree"
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
        _, payload = await page.next()
        assert payload["text"].startswith("main <2> · relabelled")


async def test_a_client_that_leaves_hears_so(autojump_clock: MockClock) -> None:
    async with open_runtime():
        page = await joined()
        assert await page.ask("phx_leave") == {"status": "ok", "response": {}}
        close = await receive(lambda message: isinstance(message, SocketClose))
        assert isinstance(close, SocketClose)
        assert close.pid is page.pid
        assert await end_of(page.pid) in (Shutdown("left"), "noproc")


async def test_it_takes_no_other_messages(autojump_clock: MockClock) -> None:
    async with open_runtime():
        page = await joined()
        answer = await page.ask("kill", {"pid": 2})
        assert answer == {"status": "error", "response": {"reason": "the tree only speaks"}}


@pytest.mark.parametrize(("reason", "end"), [("normal", Shutdown("closed")), ("dropped", "dropped")])
async def test_it_ends_with_its_connection(reason: str, end: object, autojump_clock: MockClock) -> None:
    """C3."""
    async with open_runtime():
        pids: list[Pid] = []

        async def connection() -> None:
            page = await joined()
            assert page.pid is not None
            pids.append(page.pid)
            await receive(lambda message: message == "close")
            raise Exit(reason)

        transport = spawn(connection)
        await trio.sleep(10)
        ended = monitor(pids[0])
        transport.send("close")
        down = await receive(lambda message: isinstance(message, Down) and message.ref is ended)
        assert isinstance(down, Down)
        assert down.reason in (
            end,
            "normal",
            "shutdown",
        )  # its pool was the connection's too, and ends at the same time


async def test_nothing_is_left_behind(autojump_clock: MockClock) -> None:
    before = len(spawned.handlers), len(exited.handlers)
    async with open_runtime():
        page = await joined()
        assert len(spawned.handlers) == before[0] + 1
        assert page.pid is not None
        page.pid.exit(KILL)
        await trio.sleep(1)
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

            with pytest.raises(TimeoutError):
                await page.next(timeout=2)
