"""A bystander: how long others wait while a broadcast goes to a crowd."""

from __future__ import annotations

import asyncio
import gc
from itertools import count
from typing import ClassVar, Final

import attrs

from benchmarks.load.client import Client, Connection
from benchmarks.load.dialects import padding
from benchmarks.load.echo import Echoes
from benchmarks.load.fanout import TOPIC, Member, Shouts
from benchmarks.load.figures import Figures, Loop, Sample, between

AT_ONCE: Final = 50
"""Clients that join at a time, before it is measured."""
START: Final = 0.02
"""Seconds of echoes before the shout."""


@attrs.frozen
class Bystander:
    """So many get a broadcast, while one on another topic keeps one echo outstanding; once more, so many times."""

    name: ClassVar = "bystander"

    clients: int = 10_000
    rounds: int = 20
    watch: float = 0.5
    payload: int = 64

    async def run(self, client: Client) -> Figures:
        """Run it; an operation is a broadcast, and how long it took is the longest wait of the bystander for an echo.

        Meanwhile nobody reads the broadcast: it waits in the kernel. So what keeps the bystander is the server alone,
        not our own work for the crowd; whether all have got it is looked at afterwards.
        """
        (bystander,), _ = await client.enter(["bench:bystander"], 1)
        members, _ = await client.enter([TOPIC] * self.clients, AT_ONCE)
        shouts = Shouts(client, members[-1], self.clients, padding(client.dialect, self.payload))
        shouts.loop.asking = False
        for member in members:
            Member(shouts, member)
        numbers, longest = count(1), []
        gc.collect()
        gc.freeze()
        gc.disable()
        first = Sample(client)
        for _ in range(self.rounds):
            for member in members:
                member.transport.underlying_transport.pause_reading()
            longest.append(await self._round(shouts, bystander, numbers))
            for member in members:
                member.transport.underlying_transport.resume_reading()
            await shouts.loop.drain()
        last = Sample(client)
        last.count = first.count + self.rounds
        gc.enable()
        return between(first, last, longest)

    async def _round(self, shouts: Shouts, bystander: Connection, numbers: count[int]) -> int:
        loop = Loop(shouts.loop.client)
        loop.recording = True
        Echoes(loop, bystander, numbers, padding(loop.client.dialect, self.payload)).ask()
        await asyncio.sleep(START)
        shouts.publish()
        await asyncio.sleep(self.watch)
        await loop.drain()
        return max(loop.latencies)
