"""Nodes by Redis for tests: each with a runtime of its own, which writes down what it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio

from phxactor.cluster import Cluster, Gap, LocalNode, NodeDown, NodeUp, Redis, monitor_nodes, this_node
from phxactor.envelope import Kind, Message
from phxactor.runtime import open_runtime, receive
from tests.patience import PATIENCE

SECRET = "the secret of all these nodes"
SCOPE = "pubsub"


class Member:
    """One node, and what it was told."""

    def __init__(self, node: LocalNode) -> None:
        self.node = node
        self.told: list[str] = []
        """Ups, downs and gaps, such as "up b", "down b silent", "gap b"."""
        self.came: list[bytes] = []
        """The payloads of all broadcasts."""
        node.handle(Kind.BROADCAST, self._take)

    def say(self, topic: str, payload: bytes) -> None:
        """Broadcast to the other nodes."""
        self.node.publish(Message(Kind.BROADCAST, SCOPE, topic, "said", payload))

    async def watch(self, *topics: str) -> None:
        """Watch topics, and wait until that is confirmed."""
        for topic in topics:
            self.node.watch(SCOPE, topic)
        for topic in topics:
            await self.node.confirmed(SCOPE, topic)

    def gaps(self) -> list[str]:
        """Return the gaps that it was told."""
        return [one for one in self.told if one.startswith("gap")]

    @property
    def is_ready(self) -> bool:
        return self.node.health().state == "ready"

    def counts(self) -> dict[str, int]:
        """Return what was dropped on arrival, by fault."""
        return dict(self.node.statistics().carriers["redis"].refused)

    def dropped(self) -> int:
        """Return how many messages could not go."""
        return self.node.statistics().carriers["redis"].dropped

    def _take(self, _sender: object, message: Message) -> None:
        self.came.append(message.payload)

    async def listen(self) -> None:
        """Write down what the process of this task is told."""
        while True:
            match await receive():
                case NodeUp(node):
                    self.told.append(f"up {node.name}")
                case NodeDown(node, reason):
                    self.told.append(f"down {node.name} {reason}")
                case Gap(node):
                    self.told.append(f"gap {'all' if node is None else node.name}")


async def _live(cluster: Cluster, members: trio.MemorySendChannel[Member]) -> None:
    async with open_runtime():
        (await cluster.start_link()).unwrap()
        monitor_nodes()
        node = this_node()
        assert node is not None
        member = Member(node)
        await members.send(member)
        await member.listen()


@asynccontextmanager
async def nodes(make: Callable[[], Redis], *names: str, max_bytes: int = 1024 * 1024) -> AsyncIterator[list[Member]]:
    """Start nodes; they end in order with the block."""
    members: list[Member] = []
    send, receive_ = trio.open_memory_channel[Member](0)
    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(_live, Cluster(make(), name=name, max_message_bytes=max_bytes), send)
            members.append(await receive_.receive())
        yield members
        nursery.cancel_scope.cancel()


async def until(condition: Callable[[], object]) -> None:
    """Wait until something holds; in virtual time this is exact to a hundredth of a second."""
    with trio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await trio.sleep(0.01)


async def all_see_all(members: list[Member]) -> None:
    """Wait until each node sees all others."""
    await until(lambda: all(len(one.node.nodes()) == len(members) - 1 and one.is_ready for one in members))
