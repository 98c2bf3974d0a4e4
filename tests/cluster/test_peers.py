"""Peers: what a carrier tells of the nodes that it hears, and each gap once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor.cluster import Beat, Cluster, Gap, Node, NodeDown, NodeUp, Peers, monitor_nodes, this_node
from phxactor.envelope import Kind, Message, encode
from phxactor.runtime import open_runtime, receive, self_pid
from tests.cluster.in_memory import InMemory

OTHER = Node(bytes(15) + b"\x01", "other@web2")
THIRD = Node(bytes(15) + b"\x02", "third@web3")
NEWS = encode(Message(Kind.BROADCAST, "pubsub", "news", "said", b"{}"))


def beat(node: Node, lost: int = 0) -> bytes:
    return encode(Message(Kind.BEAT, "", "", "", Beat(node.name, lost).encode()))


@asynccontextmanager
async def peers() -> AsyncIterator[Peers]:
    carrier = InMemory([])
    async with open_runtime():
        (await Cluster([carrier], name="this@web1").start_link()).unwrap()
        await wait_all_tasks_blocked()
        node = this_node()
        assert node is not None
        monitor_nodes()
        yield Peers(node, carrier)


async def told() -> list[object]:
    """Return what this process was told, and empty its mailbox."""
    return [await receive() for _ in range(len(self_pid().mailbox))]


async def silence(peers: Peers) -> None:
    for _ in range(5):
        await trio.sleep(1)
        peers.judge()


async def test_a_node_that_was_silent_and_says_that_it_lost_messages_makes_a_gap(autojump_clock: MockClock) -> None:
    async with peers() as these:
        since = trio.current_time()
        these.heard(OTHER.id, beat(OTHER, lost=3))
        await silence(these)
        these.heard(OTHER.id, beat(OTHER, lost=4))
        gap = Gap(OTHER, "memory", since)
        assert await told() == [NodeUp(OTHER), NodeDown(OTHER, "silent"), NodeUp(OTHER), gap]
        these.heard(OTHER.id, beat(OTHER, lost=4))
        await silence(these)
        these.heard(OTHER.id, beat(OTHER, lost=4))
        assert await told() == [NodeDown(OTHER, "silent"), NodeUp(OTHER)]


async def test_a_gap_waits_until_the_node_is_up_again(autojump_clock: MockClock) -> None:
    async with peers() as these:
        since = trio.current_time()
        these.heard(OTHER.id, beat(OTHER))
        await silence(these)
        these.reconnected(since)
        these.heard(OTHER.id, NEWS)
        assert await told() == [NodeUp(OTHER), NodeDown(OTHER, "silent")]
        these.heard(OTHER.id, beat(OTHER, lost=7))
        assert await told() == [NodeUp(OTHER), Gap(OTHER, "memory", since)]


async def test_a_gap_is_told_of_nobody_when_no_node_comes_back(autojump_clock: MockClock) -> None:
    async with peers() as these:
        since = trio.current_time()
        these.heard(OTHER.id, beat(OTHER))
        these.heard(THIRD.id, beat(THIRD))
        these.reconnected(since)
        await silence(these)
        assert (await told())[-1] == Gap(None, "memory", since)
        await silence(these)
        assert await told() == []


async def test_no_gap_of_nobody_beside_that_of_a_node(autojump_clock: MockClock) -> None:
    async with peers() as these:
        since = trio.current_time()
        these.heard(OTHER.id, beat(OTHER))
        these.reconnected(since)
        these.heard(OTHER.id, NEWS)
        await silence(these)
        assert await told() == [NodeUp(OTHER), Gap(OTHER, "memory", since), NodeDown(OTHER, "silent")]


async def test_a_node_that_another_carrier_covers_makes_no_gap_but_an_emitter_may_have_been_missed(
    autojump_clock: MockClock,
) -> None:
    one, covering = InMemory([], "one"), InMemory([], "covering")
    covering.group = OTHER.group
    async with open_runtime():
        (await Cluster([one, covering], name="this@web1").start_link()).unwrap()
        await wait_all_tasks_blocked()
        node = this_node()
        assert node is not None
        monitor_nodes()
        these = Peers(node, one)
        since = trio.current_time()
        these.heard(OTHER.id, beat(OTHER))
        these.reconnected(since)
        for _ in range(6):
            these.heard(OTHER.id, beat(OTHER, lost=5))
            await trio.sleep(1)
            these.judge()
        assert await told() == [NodeUp(OTHER), Gap(None, "one", since)]


async def test_a_node_that_was_stopped_itself_misses_something_since_then(autojump_clock: MockClock) -> None:
    """What it reads first when it goes on was sent while it was stopped, and so may be what it misses after that."""
    async with peers() as these:
        these.heard(OTHER.id, beat(OTHER))
        await trio.sleep(1)
        these.judge()
        stopped = trio.current_time()
        await trio.sleep(20)
        these.heard(OTHER.id, beat(OTHER))
        these.heard(OTHER.id, NEWS, missed=True)
        these.judge()
        assert these.missed_since(trio.current_time()) == stopped
        these.heard(OTHER.id, beat(OTHER, lost=1))
        for _ in range(6):
            await trio.sleep(1)
            these.heard(OTHER.id, beat(OTHER, lost=1))
            these.judge()
        heard = trio.current_time()
        these.heard(OTHER.id, NEWS, missed=True)
        gaps = [one.since for one in await told() if isinstance(one, Gap)]
        assert gaps[1:] == [stopped, heard]
        assert gaps[0] <= stopped
