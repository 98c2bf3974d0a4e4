"""What a broadcast costs the nodes of a large cluster: 100 nodes and 1,000,000 topics, simulated in one process.

    .venv/bin/python -m benchmarks.interest [NODES] [TOPICS]

Prints a table in Markdown: messages and bytes between nodes for each broadcast, counted, by how many nodes have
subscribers of its topic; and the CPU time of its sender. It takes about 500 MB of memory.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from random import Random

import attrs
import trio
from trio.testing import MockClock

from phxactor.cluster import Node
from phxactor.envelope import Kind, Message
from phxactor.testing import Nodes, cluster

SCOPE = "endpoint.pubsub"
PAYLOAD = b'{"body": "%b"}' % (b"x" * 188)
"""A payload of 200 bytes, as JSON."""
BROADCASTS = 200
"""Broadcasts that are counted for each number of interested nodes."""
SECOND = 1.0


@attrs.frozen
class Row:
    """What was counted for one number of interested nodes, for each broadcast."""

    interested: int
    messages: float
    bytes: float
    seconds: float
    """CPU time of the sender."""


def topic(number: int) -> str:
    """Return the name of a topic."""
    return f"room:{number}"


def sizes(count: int) -> list[int]:
    """Return how many nodes are interested in the topics that are broadcast to."""
    return sorted({0, 1, 2, 5, 10, count // 2, count - 1})


async def watch(nodes: Nodes, topics: int, chance: Random) -> None:
    """Have each topic watched by one node, and a few topics by more of them."""
    for number in range(topics):
        chance.choice(nodes).local.watch(SCOPE, topic(number))
    for interested in sizes(len(nodes)):
        for node in nodes[1 : interested + 1]:
            node.local.watch(SCOPE, f"of {interested}")
    await trio.sleep(SECOND)


def broadcast(nodes: Nodes, interested: int) -> Row:
    """Broadcast from the first node, which is not interested, and count what goes from node to node."""
    counts = nodes.network.counts
    messages, size, before = counts.messages, counts.bytes, time.process_time()
    for _ in range(BROADCASTS):
        nodes[0].local.publish(Message(Kind.BROADCAST, SCOPE, f"of {interested}", "new_msg", PAYLOAD))
    return Row(
        interested,
        (counts.messages - messages) / BROADCASTS,
        (counts.bytes - size) / BROADCASTS,
        (time.process_time() - before) / BROADCASTS,
    )


async def measure(count: int, topics: int) -> Iterator[str]:
    """Return the lines of the report."""
    async with cluster(count) as nodes:
        for node in nodes:
            node.local.handle(Kind.BROADCAST, _take)
        await trio.sleep(2 * SECOND)
        await watch(nodes, topics, Random(1))  # noqa: S311 - no secret
        lanes = sum(node.local.statistics().lanes for node in nodes)
        quiet = nodes.network.counts.messages, nodes.network.counts.bytes
        await trio.sleep(10 * SECOND)
        beats = [(now - then) / 10 / count for now, then in zip(_counts(nodes), quiet, strict=True)]
        rows = []
        for interested in sizes(count):
            rows.append(broadcast(nodes, interested))
            await trio.sleep(SECOND)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    per_copy = rows[-1].bytes / rows[-1].messages
    return iter(
        [
            f"{count} nodes, {topics:,} topics, {lanes:,} interests of a node; payloads of {len(PAYLOAD)} bytes.",
            "",
            "| interested nodes | messages | bytes | bytes, if all nodes got everything | CPU of the sender |",
            "|---|---|---|---|---|",
            *(
                f"| {row.interested} | {row.messages:g} | {row.bytes:,.0f} | {per_copy * (count - 1):,.0f} | "
                f"{row.seconds / rows[1].seconds:.1f} |"
                for row in rows
            ),
            "",
            f"Beats: {beats[0]:.0f} messages and {beats[1]:,.0f} bytes a second for each node. CPU: one copy is 1.0.",
            f"Memory of all nodes together: {megabytes:.0f} MB.",
        ]
    )


def _take(_sender: Node | None, _message: Message) -> None:
    """Take a message."""


def _counts(nodes: Nodes) -> tuple[int, int]:
    return nodes.network.counts.messages, nodes.network.counts.bytes


def main() -> None:
    """Measure, and print the report."""
    count, topics = (int(given) for given in (sys.argv[1:] + ["100", "1000000"][len(sys.argv) - 1 :]))
    for line in trio.run(measure, count, topics, clock=MockClock(autojump_threshold=0)):
        print(line)


if __name__ == "__main__":
    main()
