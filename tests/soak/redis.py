"""Faults of a real Redis under nodes that talk: python -m tests.soak.redis [ROUNDS]. The status is 1 if one fails.

Each round takes the next of the faults. Every loss must be told once to each observer for each sender, messages must go
from node to node again within 3 seconds of Redis, and memory must not grow. "late" is by how much the loop of all nodes
was late at most: on a machine that has nothing else to do, it says what clients of a node notice.
"""

from __future__ import annotations

import gc
import itertools
import logging
import sys
from typing import Final

import trio

from phxactor.cluster import Redis
from tests.cluster.redis.faults import FAULTS, TOPIC, Talk
from tests.cluster.redis.nodes import SECRET, nodes
from tests.cluster.redis.proxy import Proxy
from tests.cluster.redis.server import RedisServer, server

ROUNDS: Final = 50
BACK: Final = 3.0
"""Seconds from Redis to the first message of each node at each other, at most."""
BLOCKS: Final = 500
"""Blocks of memory that a round may leave behind on average."""


class _Errors(logging.Handler):
    """Counts what the log has at ERROR and above."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(self.format(record))


async def soak(redis: RedisServer, rounds: int) -> bool:
    """Return whether all held."""
    errors = _Errors()
    logging.getLogger().addHandler(errors)
    proxy = Proxy(redis.port)
    faults = {**FAULTS, "a proxy goes silent": proxy.goes_silent}
    well = True
    latest: list[float] = [0.0]
    blocks: list[int] = []
    async with trio.open_nursery() as nursery:
        await nursery.start(proxy.run)
        async with nodes(lambda: Redis(proxy.url, secret=SECRET), "a", "b", "c") as members:
            for one in members:
                one.node.watch("pubsub", TOPIC)
            talk = Talk(members)
            nursery.start_soon(talk.run)
            nursery.start_soon(_watch, latest)
            for number, (name, fault) in enumerate(itertools.islice(itertools.cycle(faults.items()), rounds), 1):
                latest[0] = 0.0
                result = await talk.survive(fault, redis)
                gc.collect()
                blocks.append(sys.getallocatedblocks())
                good = result.back <= BACK and not errors.records
                well &= good
                _say(
                    f"{number:3} {name:26} back {result.back:4.1f} s, missed {result.missed:5}, gaps {result.gaps:2},"
                    f" late {latest[0] * 1000:4.0f} ms, blocks {blocks[-1]:,}{'' if good else '  NOT GOOD'}"
                )
            nursery.cancel_scope.cancel()
    kinds = len(faults)
    if len(blocks) > 2 * kinds:  # each fault once is the warm-up
        grown = (blocks[-1] - blocks[kinds]) / (len(blocks) - 1 - kinds)
        _say(f"{grown:+,.0f} blocks of memory a round")
        well &= grown < BLOCKS
    for record in errors.records:
        _say(record)
    return well


async def _watch(latest: list[float]) -> None:
    while True:
        before = trio.current_time()
        await trio.sleep(0.01)
        latest[0] = max(latest[0], trio.current_time() - before - 0.01)


def _say(line: str) -> None:
    print(line, flush=True)


def main(rounds: int) -> bool:
    """Run the rounds with a server of their own."""
    with server() as redis:
        redis.start()
        return trio.run(soak, redis, rounds)


if __name__ == "__main__":
    sys.exit(not main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
