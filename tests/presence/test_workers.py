"""Presence over real workers: killed, stopped for a while, and stopped in order."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

from phxactor.client import Presence, connect
from tests.demos.program import Program, serving
from tests.patience import PATIENCE

pytestmark = [pytest.mark.socket, pytest.mark.slow]

PROGRAM = Path(__file__).with_name("here.py").read_text()


@attrs.define
class Member:
    """A client, the worker that serves it, and who is there as it sees it."""

    key: str
    worker: int
    presence: Presence
    changed: trio.Event = attrs.field(factory=trio.Event)
    over: bool = False

    def keys(self) -> list[str]:
        return sorted(self.presence.state)


async def live(url: str, key: str, *, task_status: trio.TaskStatus[Member] = trio.TASK_STATUS_IGNORED) -> None:
    """Be a member until the connection is lost."""
    async with connect(f"{url}/socket/websocket", reconnect_after=lambda _: 3600.0) as socket:
        room = await socket.join("room:1", {"key": key})
        member = Member(key, room.response["worker"], Presence())
        task_status.started(member)
        async for message in room:
            if member.presence.take(message):
                member.changed.set()
                member.changed = trio.Event()


@asynccontextmanager
async def members(program: Program, count: int) -> AsyncIterator[list[Member]]:
    """Have clients join, until each of two workers has some."""
    url = f"ws://127.0.0.1:{program.port}"
    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        found: list[Member] = []
        while len(found) < count or len({one.worker for one in found}) < 2:
            found.append(await nursery.start(live, url, f"p{len(found)}"))
        yield found
        nursery.cancel_scope.cancel()


async def all_see(some: list[Member], keys: list[str]) -> float:
    """Wait until all of them see exactly these keys; return the seconds that it took."""
    began = trio.current_time()
    with trio.fail_after(PATIENCE):
        for one in some:
            while one.keys() != sorted(keys):
                await one.changed.wait()
    return trio.current_time() - began


async def test_PR112_PR123_a_killed_worker_takes_its_people_with_it_everywhere(tmp_path: Path) -> None:
    (tmp_path / "here.py").write_text(PROGRAM)
    with serving("serve", "here:application", "--workers", "2", cwd=tmp_path) as program:
        async with members(program, 10) as people:
            await all_see(people, [one.key for one in people])
            victim = people[0].worker
            rest = [one for one in people if one.worker != victim]
            os.kill(victim, signal.SIGKILL)
            await all_see(rest, [one.key for one in rest])


async def test_PR42_PR43_a_worker_that_was_stopped_is_back_with_its_people(tmp_path: Path) -> None:
    (tmp_path / "here.py").write_text(PROGRAM)
    with serving("serve", "here:application", "--workers", "2", cwd=tmp_path) as program:
        async with members(program, 6) as people:
            everybody = [one.key for one in people]
            await all_see(people, everybody)
            victim = people[0].worker
            rest = [one for one in people if one.worker != victim]
            os.kill(victim, signal.SIGSTOP)
            try:
                await all_see(rest, [one.key for one in rest])
            finally:
                os.kill(victim, signal.SIGCONT)
            await all_see(people, everybody)
