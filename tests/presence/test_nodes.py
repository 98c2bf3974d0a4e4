"""Presence over nodes: a simulated cluster in virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import trio

from phxactor import KILL, Broadcast, Pid, Presence, PubSub, receive, self_pid
from phxactor.otp import Child, Supervisor
from phxactor.presence import Grouped
from phxactor.presence import _replication as replication
from phxactor.testing import Nodes, SimulatedNode, cluster, settle


class Here(Presence, pubsub=PubSub("news")):
    """Has no callbacks."""


def children() -> Sequence[Child]:
    """Make what each node runs."""
    return [PubSub("news"), Here]


class Watcher:
    """A process of a node that is subscribed to a topic, and folds what it hears."""

    def __init__(self, node: SimulatedNode, topic: str = "t", presence: type[Presence] = Here) -> None:
        self.diffs: list[Any] = []
        self.topic = topic
        self.presence = presence
        self.first: Grouped = {}
        node.spawn(self._run)

    async def _run(self) -> None:
        PubSub("news").subscribe(self.topic)
        self.first = self.presence.list(self.topic)
        while True:
            message = await receive()
            assert isinstance(message, Broadcast)
            self.diffs.append(message.payload)

    def names(self) -> list[tuple[list[str], list[str]]]:
        """Return the keys of the joins and of the leaves of each diff."""
        return [(sorted(diff["joins"]), sorted(diff["leaves"])) for diff in self.diffs]


async def member(node: SimulatedNode, key: str, topic: str = "t", **meta: object) -> Pid:
    """Start a process of a node that is tracked until it ends."""
    tracked = trio.Event()

    async def live() -> None:
        Here.track(topic, key, meta)
        tracked.set()
        await trio.sleep_forever()

    pid = node.spawn(live)
    await tracked.wait()
    return pid


async def keys(node: SimulatedNode, topic: str = "t") -> list[str]:
    """Return who is present, as a node sees it."""

    async def read() -> list[str]:
        return sorted(Here.list(topic))

    return await node.run(read)


async def here() -> Grouped:
    """Return the list of the current node."""
    return Here.list("t")


async def everywhere(nodes: Nodes, topic: str = "t") -> list[str]:
    """Return who is present, as all nodes that run see it: they must agree."""
    seen = [await keys(node, topic) for node in nodes if node.runs]
    assert all(one == seen[0] for one in seen), seen
    return seen[0]


async def test_PR33_PR34_PR123_a_change_is_seen_on_all_nodes(autojump_clock: trio.abc.Clock) -> None:
    async with cluster(3, children=children, delay=0.01) as nodes:
        a, b, _ = nodes
        watcher = Watcher(b)
        ann = await member(a, "ann", n=1)
        await trio.sleep(0.2)
        assert await everywhere(nodes) == ["ann"]
        a.runtime.exit(ann, KILL)
        await trio.sleep(0.2)
        assert await everywhere(nodes) == []
        assert watcher.names() == [(["ann"], []), ([], ["ann"])]


async def test_PR34_PR35_PR36_PR37_a_row_of_changes_is_one_diff_elsewhere(autojump_clock: trio.abc.Clock) -> None:
    async with cluster(2, children=children, delay=0.01) as nodes:
        a, b = nodes
        watcher = Watcher(b)

        async def row() -> None:
            Here.track("t", "p1", {"n": 1})
            Here.update("t", "p1", {"n": 2})
            Here.update("t", "p1", {"n": 3})
            Here.track("t", "p2")
            Here.untrack("t", "p2")
            Here.track("t", "p3")
            await trio.sleep(1)
            Here.update("t", "p3", {"n": 1})
            Here.update("t", "p3", {"n": 2})
            Here.untrack("t", "p1")
            await trio.sleep(1)
            Here.untrack_all()

        await a.run(row)
        await trio.sleep(1)
        assert watcher.names() == [(["p1", "p3"], []), (["p3"], ["p1", "p3"]), ([], ["p3"])]
        assert [meta["n"] for meta in watcher.diffs[0]["joins"]["p1"]["metas"]] == [3]
        (old,) = watcher.diffs[0]["joins"]["p3"]["metas"]
        assert watcher.diffs[1]["leaves"]["p3"]["metas"] == [old]


async def test_PR3_one_key_on_two_nodes_has_both_metas(autojump_clock: trio.abc.Clock) -> None:
    async with cluster(2, children=children, delay=0.01) as nodes:
        a, b = nodes
        ann = await member(a, "ann", on="a")
        await trio.sleep(1)
        await member(b, "ann", on="b")
        await trio.sleep(1)

        async def metas() -> list[str]:
            return [meta["on"] for meta in Here.list("t")["ann"]["metas"]]

        assert await a.run(metas) == await b.run(metas) == ["a", "b"]
        a.runtime.exit(ann, KILL)
        await trio.sleep(1)
        assert await a.run(metas) == await b.run(metas) == ["b"]


async def test_PR91_a_node_that_starts_late_knows_all_at_once(autojump_clock: trio.abc.Clock) -> None:
    async with cluster(2, children=children, delay=0.01) as nodes:
        a, b = nodes
        await member(b, "bob")
        await a.leave()
        await trio.sleep(30)
        await nodes.restart(a)
        await member(a, "ann")
        await trio.sleep(1.5)
        assert await everywhere(nodes) == ["ann", "bob"]


async def test_PR112_who_was_on_a_killed_node_is_gone_with_it(autojump_clock: trio.abc.Clock) -> None:
    async with cluster(3, children=children, delay=0.01) as nodes:
        a, b, c = nodes
        for n in range(5):
            await member(a, f"a{n}")
        await member(c, "cid")
        await trio.sleep(1)
        watcher = Watcher(b)
        await a.kill()
        await trio.sleep(0.5)
        assert await everywhere(nodes) == ["cid"]
        assert watcher.names() == [([], [f"a{n}" for n in range(5)])]
        await nodes.restart(a)
        await member(a, "a0")
        await trio.sleep(1)
        assert await everywhere(nodes) == ["a0", "cid"]


async def test_PR106_PR107_PR112_after_a_silent_end_they_are_gone_within_six_seconds(
    autojump_clock: trio.abc.Clock,
) -> None:
    async with cluster(2, children=children, delay=0.01) as nodes:
        a, b = nodes
        await member(a, "ann")
        await trio.sleep(1)
        await a.kill(silent=True)
        await trio.sleep(6)
        assert await keys(b) == []
        await trio.sleep(replication.FORGET + 2 * replication.BEAT)

        async def replicas() -> object:
            return Here.statistics().replicas

        assert await b.run(replicas) == {}


async def test_PR42_PR43_PR109_a_node_that_was_stopped_is_back_in_one_diff(autojump_clock: trio.abc.Clock) -> None:
    async with cluster(2, children=children, delay=0.01) as nodes:
        a, b = nodes
        gone = await member(a, "gone")
        await member(a, "ann")
        await member(b, "bob")
        await trio.sleep(1)
        watcher, here = Watcher(b), Watcher(a)
        await a.stop()
        await trio.sleep(10)
        assert await keys(b) == ["bob"]
        assert watcher.names() == [([], ["ann", "gone"])]

        async def replicas() -> object:
            return Here.statistics().replicas

        assert await b.run(replicas) == {"a": "silent"}
        await member(b, "late")
        await trio.sleep(10)
        a.go_on()
        a.runtime.exit(gone, KILL)
        await trio.sleep(3)
        assert await everywhere(nodes) == ["ann", "bob", "late"]
        assert watcher.names() == [([], ["ann", "gone"]), (["late"], []), (["ann"], [])]
        assert here.names() == [([], ["gone"]), (["late"], [])]
        assert await b.run(replicas) == {"a": "up"}


async def test_PR109_a_node_that_was_stopped_for_long_loses_nobody_when_it_goes_on(
    autojump_clock: trio.abc.Clock,
) -> None:
    async with cluster(2, children=children, delay=0.01) as nodes:
        a, b = nodes
        await member(b, "bob")
        await trio.sleep(1)
        watcher = Watcher(a)
        await trio.sleep(1)
        await a.stop()
        await trio.sleep(3 * replication.DOWN)
        a.go_on()
        await trio.sleep(3)
        assert await everywhere(nodes) == ["bob"]
        assert watcher.names() == []


async def test_PR113_PR114_PR115_a_node_that_stops_in_order_says_goodbye(autojump_clock: trio.abc.Clock) -> None:
    async with cluster(2, children=children, delay=0.01) as nodes:
        a, b = nodes
        for n in range(3):
            await member(a, f"a{n}")
        await trio.sleep(1)
        watcher = Watcher(b)
        await a.leave()
        await trio.sleep(0.1)
        assert await keys(b) == []
        assert watcher.names() == [([], ["a0", "a1", "a2"])]


async def test_PR100_PR105_PR118_PR124_PR135_a_presence_that_starts_anew_replaces_its_last_life(
    autojump_clock: trio.abc.Clock,
) -> None:
    async with cluster(2, children=children, delay=0.01) as nodes:
        a, b = nodes
        await member(a, "ann")
        await trio.sleep(1)
        supervisor = a.runtime.names.whereis("Here")
        assert supervisor is not None
        a.runtime.exit(supervisor, KILL)
        await trio.sleep(1)
        assert await keys(b) == []
        await member(a, "new")
        await trio.sleep(1)
        assert await everywhere(nodes) == ["new"]


async def test_PR30_PR118_with_the_trackers_process_alone_nobody_is_lost(autojump_clock: trio.abc.Clock) -> None:
    async with cluster(2, children=children, delay=0.01) as nodes:
        a, b = nodes
        await member(a, "ann")
        await member(b, "bob")
        await trio.sleep(1)
        watcher = Watcher(b)

        async def tracker() -> Pid:
            supervisor = self_pid().runtime.names.whereis("Here")
            assert supervisor is not None
            (child,) = await Supervisor.which_children(supervisor)
            assert isinstance(child.pid, Pid)
            return child.pid

        a.runtime.exit(await a.run(tracker), KILL)
        await member(a, "cid")
        await trio.sleep(1)
        assert await everywhere(nodes) == ["ann", "bob", "cid"]
        assert watcher.names() == [(["cid"], [])]


async def test_PR110_PR111_a_pair_that_is_cut_heals_without_ghosts(autojump_clock: trio.abc.Clock) -> None:
    async with cluster(3, children=children, delay=0.01) as nodes:
        a, b, c = nodes
        ann = await member(a, "ann")
        await member(b, "bob")
        await member(c, "cid")
        await trio.sleep(1)
        nodes.network.cut("a", "b")
        await trio.sleep(20)
        assert await keys(a) == ["ann", "cid"]
        assert await keys(b) == ["bob", "cid"]
        assert await keys(c) == ["ann", "bob", "cid"]
        a.runtime.exit(ann, KILL)
        await member(a, "dan")
        await member(b, "eve")
        nodes.network.heal()
        await trio.sleep(5)
        assert await everywhere(nodes) == ["bob", "cid", "dan", "eve"]


async def test_a_state_larger_than_a_message_comes_in_parts(autojump_clock: trio.abc.Clock) -> None:
    async with cluster(2, children=children, delay=0.01, max_message_bytes=300_000) as nodes:
        a, b = nodes
        await b.leave()

        async def many() -> None:
            for n in range(2000):
                Here.track("t", f"k{n}", {"text": "x" * 500})
            await trio.sleep_forever()

        pid = a.spawn(many)
        await settle()
        await nodes.restart(b)
        await trio.sleep(1)
        assert len(await everywhere(nodes)) == 2000
        watcher = Watcher(b)
        a.runtime.exit(pid, KILL)
        await trio.sleep(1)
        assert await everywhere(nodes) == []
        assert sum(len(diff["leaves"]) for diff in watcher.diffs) == 2000


async def test_PR80a_PR90_PR133_a_leave_is_one_message_and_quiet_is_a_beat_each_fifteen_seconds(
    autojump_clock: trio.abc.Clock,
) -> None:
    async with cluster(3, children=children, delay=0.01) as nodes:
        a, _, _ = nodes
        ann = await member(a, "ann")
        await trio.sleep(1)
        sent = [node.local.statistics().carriers["simulated"].sent for node in nodes]
        a.runtime.exit(ann, KILL)
        await trio.sleep(1)
        now = [node.local.statistics().carriers["simulated"].sent for node in nodes]
        assert [one - other for one, other in zip(now, sent, strict=True)] == [1, 0, 0]
        await trio.sleep(10 * replication.BEAT)
        later = [node.local.statistics().carriers["simulated"].sent for node in nodes]
        assert [one - other for one, other in zip(later, now, strict=True)] == [10, 10, 10]
