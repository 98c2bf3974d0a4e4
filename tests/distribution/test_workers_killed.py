"""Processes over real workers: one worker is killed, or stopped for a while, while the other one watches it."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from phxactor.channels import Payload
from phxactor.client import Channel, connect
from tests.demos.program import serving
from tests.distribution.watcher import PROCESSES
from tests.patience import PATIENCE

pytestmark = [pytest.mark.socket, pytest.mark.slow]

PROGRAM = Path(__file__).with_name("watcher.py").read_text()
KILLS = 5
MONITORS = 2 * PROCESSES + 1
"""Two of each process, and one of a name."""
ENDED = {"Down :noconnection": 1, "call ended with the node": 2}
"""What the watcher hears of local processes: one that was linked, and two that called."""


@asynccontextmanager
async def story(folder: Path) -> AsyncIterator[Channel]:
    """Serve the program by two workers, and join in one of them."""
    (folder / "watcher.py").write_text(PROGRAM)
    with serving("serve", "watcher:application", "--workers", "2", cwd=folder) as program:
        async with connect(f"ws://127.0.0.1:{program.port}/socket/websocket") as socket:
            yield await socket.join("story")


async def told(story: Channel, event: str) -> Payload:
    """Return the next message, which is this one."""
    with trio.fail_after(PATIENCE):
        message = await anext(story)
    assert message.event == event
    return message.payload


async def test_ND38_ND40_ND82_kill_9_is_told_once_to_all_who_watch_and_leaves_nothing(tmp_path: Path) -> None:
    async with story(tmp_path) as there:
        before = await there.push("left")
        killed = set()
        for _ in range(KILLS):
            await there.cast("watch")
            victim = (await told(there, "ready"))["worker"]
            assert victim not in killed
            killed.add(victim)
            os.kill(victim, signal.SIGKILL)
            assert await told(there, "lost") == {
                "first": {"Down :noconnection": MONITORS, "Exited :noconnection": PROCESSES - 1, "NodeDown lost": 1},
                "rest": ENDED,
            }
            reached = await told(there, "reached")
            assert reached["worker"] not in {there.response["worker"], *killed}
            assert reached["later"] == {"NodeUp": 1}
            assert await there.push("left") == before


async def test_ND38_ND40_ND82_a_stopped_worker_is_lost_to_both_sides_and_reached_when_it_goes_on(
    tmp_path: Path,
) -> None:
    async with story(tmp_path) as there:
        before = await there.push("left")
        await there.cast("watch")
        victim = (await told(there, "ready"))["worker"]
        os.kill(victim, signal.SIGSTOP)
        try:
            lost = await told(there, "lost")
        finally:
            os.kill(victim, signal.SIGCONT)
        assert lost == {
            "first": {"Down :noconnection": MONITORS, "Exited :noconnection": PROCESSES - 1, "NodeDown silent": 1},
            "rest": ENDED,
        }
        reached = await told(there, "reached")
        assert reached["worker"] == victim
        assert reached["they"] == [*[["ended: noproc"]] * (PROCESSES - 1), [":noconnection"]]
        assert reached["later"]["NodeUp"] == 1
        assert set(reached["later"]) <= {"NodeUp", "Gap"}
        assert await there.push("left") == before
