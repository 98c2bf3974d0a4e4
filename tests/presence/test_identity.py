"""What a process is to other threads and nodes, and how much nodes say to each other."""

from __future__ import annotations

import pytest
import trio

from phxactor import Pid, Tracker, open_runtime, self_pid, spawn
from phxactor.otp import Child
from phxactor.presence import _replication as replication
from phxactor.runtime import WrongThreadError
from phxactor.testing import cluster
from tests.presence.test_nodes import Here, Watcher, children, keys


class Counted(Tracker):
    """Has no callbacks."""


async def test_PR17_a_process_of_another_thread_is_refused(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await Counted.start_link()
        me = self_pid()

        def track() -> None:
            with pytest.raises(WrongThreadError):
                Counted.track("t", "ann", pid=me)

        await trio.to_thread.run_sync(track)
        assert Counted.list("t") == []


async def test_PR122_a_process_of_another_node_is_but_a_key_and_a_meta(autojump_clock: trio.abc.Clock) -> None:
    def counting() -> list[Child]:
        return [Counted]

    async with cluster(2, children=counting, delay=0.01) as nodes:
        a, b = nodes

        async def track() -> Pid:
            pid = spawn(trio.sleep_forever)
            Counted.track("t", "ann", {"n": 1}, pid=pid)
            return pid

        async def owners() -> list[Pid | None]:
            return [pid for pid, _ in Counted.get_by_key("t", "ann")]

        pid = await a.run(track)
        await trio.sleep(1)
        assert await a.run(owners) == [pid]
        assert await b.run(owners) == [None]


async def test_PR136_many_changes_are_one_message_in_each_period(autojump_clock: trio.abc.Clock) -> None:
    async with cluster(2, children=children, delay=0.01) as nodes:
        a, b = nodes
        await trio.sleep(1)
        watcher = Watcher(b)
        before = a.local.statistics().carriers["simulated"].sent

        async def many() -> None:
            for n in range(200):
                Here.track("t", f"k{n}")
                await trio.sleep(0.005)
            await trio.sleep_forever()

        a.spawn(many)
        await trio.sleep(2)
        assert len(await keys(b)) == 200
        periods = 1 / replication.PERIOD
        assert a.local.statistics().carriers["simulated"].sent - before <= periods + 2
        assert len(watcher.diffs) <= periods + 2
