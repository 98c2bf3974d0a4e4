"""Random programs on three nodes, compared with a model: who is subscribed to what gets what is broadcast, in order."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import NamedTuple

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from phxactor.cluster import Gap, monitor_nodes
from phxactor.pubsub import PubSub
from phxactor.runtime import KILL, Pid, receive
from phxactor.testing import Nodes, cluster, settle
from tests.pubsub.nodes import do

NEWS = PubSub("news")
PER_NODE = 2

WAYS = ["subscribe", "unsubscribe", "end", "wait", "broadcast", "broadcast_from", "local_broadcast", "direct_broadcast"]


class Step(NamedTuple):
    """What one process does."""

    way: str
    at: int
    """Its node."""
    number: int
    """Which process of the node."""
    topic: str
    to: int
    """The node of a direct broadcast."""


steps = st.builds(
    Step,
    st.sampled_from(WAYS),
    st.integers(0, 2),
    st.integers(0, PER_NODE - 1),
    st.sampled_from("ab"),
    st.integers(0, 2),
)


@given(st.lists(steps, max_size=25), st.sampled_from([0.0, 0.05]))
@settings(deadline=None, max_examples=40)
def test_against_a_model(chosen: list[Step], delay: float) -> None:
    trio.run(play, chosen, delay, clock=MockClock(autojump_threshold=0))


class Play:
    """The nodes' processes, and what the model says of them."""

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self.pids = [[node.spawn(trio.sleep_forever) for _ in range(PER_NODE)] for node in nodes]
        self.subscribed: Counter[tuple[int, int, str]] = Counter()

    def expected(self, step: Step) -> set[tuple[int, int]]:
        """Return who gets a broadcast, by node and number."""
        found = {
            (node, one) for node, one, its in self.subscribed if its == step.topic and self.subscribed[node, one, its]
        }
        match step.way:
            case "broadcast_from":
                return found - {(step.at, step.number)}
            case "local_broadcast":
                return {it for it in found if it[0] == step.at}
            case "direct_broadcast":
                return {it for it in found if it[0] == step.to}
        return found

    async def step(self, step: Step, payload: int) -> None:
        way, at, number, topic, _ = step
        node, pid = self.nodes[at], self.pids[at][number]
        match way:
            case "subscribe":
                await do(node, partial(NEWS.subscribe, topic, pid=pid))
                await node.run(NEWS.confirmed, topic)
                self.subscribed[at, number, topic] += 1
            case "unsubscribe":
                await do(node, partial(NEWS.unsubscribe, topic, pid=pid))
                del self.subscribed[at, number, topic]
            case "end":
                pid.exit(KILL)
                await settle()
                self.pids[at][number] = node.spawn(trio.sleep_forever)
                for one in "ab":
                    del self.subscribed[at, number, one]
            case "wait":
                await trio.sleep(payload % 7)
            case _:
                await self.say(step, payload)

    async def say(self, step: Step, payload: int) -> None:
        way, at, number, topic, to = step
        first: object = {"broadcast_from": self.pids[at][number], "direct_broadcast": self.nodes[to].identity}.get(way)
        before = () if first is None else (first,)
        await do(self.nodes[at], getattr(NEWS, way), *before, topic, payload)
        await trio.sleep(0.06)
        expected = self.expected(step)
        for node, pids in enumerate(self.pids):
            for one, pid in enumerate(pids):
                count = self.subscribed[node, one, topic] if (node, one) in expected else 0
                assert taken(pid) == [payload] * count, (node, one)


def taken(pid: Pid) -> list[object]:
    messages = list(pid.mailbox)
    pid.mailbox.clear()
    return messages


async def play(chosen: list[Step], delay: float) -> None:
    async with cluster(3, children=lambda: [NEWS], delay=delay) as nodes:
        await trio.sleep(5)
        it = Play(nodes)
        for payload, step in enumerate(chosen):
            await it.step(step, payload)
        await trio.sleep(10)
        for index, node in enumerate(nodes):
            lanes = {f"news:{topic}" for at, _, topic in it.subscribed if at == index and it.subscribed[at, _, topic]}
            assert set(node.local.lanes()) == lanes


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.2, 0.6]))
@settings(deadline=None, max_examples=15)
def test_CL5_what_arrives_is_in_order_once_and_a_loss_is_told(seed: int, loss: float) -> None:
    trio.run(chatter, seed, loss, clock=MockClock(autojump_threshold=0))


async def chatter(seed: int, loss: float) -> None:
    async with cluster(3, children=lambda: [NEWS], delay=0.01, uneven=True, seed=seed) as nodes:
        await trio.sleep(5)
        gaps: list[set[str | None]] = [set() for _ in nodes]

        async def listen(index: int) -> None:
            monitor_nodes()
            while True:
                message = await receive()
                if isinstance(message, Gap):
                    gaps[index].add(None if message.node is None else message.node.name)

        for index, node in enumerate(nodes):
            node.spawn(listen, index)
            await do(node, partial(NEWS.subscribe, "t", pid=node.runtime.main))
            await node.run(NEWS.confirmed, "t")
        nodes.network.loss = loss
        for number in range(20):
            for node in nodes:
                await do(node, NEWS.broadcast, "t", [node.name, number])
            await trio.sleep(0.05)
        nodes.network.loss = 0.0
        await trio.sleep(10)
        for index, node in enumerate(nodes):
            came = [message for message in node.runtime.main.mailbox if isinstance(message, list)]
            for sender in nodes:
                numbers = [number for name, number in came if name == sender.name]
                assert numbers == sorted(set(numbers))
                if sender is node:
                    assert numbers == list(range(20))
                elif numbers != list(range(20)):
                    assert gaps[index] & {sender.name, None}
