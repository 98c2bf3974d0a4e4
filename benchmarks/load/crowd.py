"""Crowds: what it costs when clients come, and what they weigh when they are there and silent."""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final

import attrs

from benchmarks.load.client import Client
from benchmarks.load.figures import Figures, Sample, between

SETTLE: Final = 0.3
"""Seconds after which a server's memory is as it stays."""


@attrs.frozen
class Storm:
    """So many clients connect and join a topic of their own, some at a time."""

    name: ClassVar = "storm"

    clients: int = 1000
    at_once: int = 50

    async def run(self, client: Client) -> Figures:
        """Run it; an operation is a client that has joined."""
        first = Sample(client)
        _, latencies = await client.enter(_topics(self.clients), self.at_once)
        return between(first, Sample(client), latencies)


@attrs.frozen
class Idle:
    """So many clients have joined a topic of their own, and are silent."""

    name: ClassVar = "idle"

    clients: int = 2000
    at_once: int = 50
    rest: float = 1.0

    async def run(self, client: Client) -> Figures:
        """Run it; what it finds out is `kb`."""
        await asyncio.sleep(SETTLE)
        before = client.server.rss_kb()
        first = Sample(client)
        _, latencies = await client.enter(_topics(self.clients), self.at_once)
        last = Sample(client)
        await asyncio.sleep(self.rest)
        kb = (client.server.rss_kb() - before) / self.clients
        return between(first, last, latencies, kb)


def _topics(clients: int) -> list[str]:
    return [f"bench:{number}" for number in range(clients)]
