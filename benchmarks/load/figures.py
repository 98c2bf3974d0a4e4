"""What a load finds out, and the clock it is found with."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence
from typing import Final

import attrs

from benchmarks.load.client import Client
from benchmarks.load.dialects import Fault

BUSY: Final = 0.9
"""Share of a core from which on a process is bound by it."""
DRAIN: Final = 15.0
"""Seconds that the last answers may take."""


@attrs.frozen
class Figures:
    """One run of one load. CPU time is the server's, user and system."""

    count: int
    """Operations: echoes, deliveries, or clients that have joined."""
    seconds: float
    """By the clock on the wall."""
    cpu_us: float
    """CPU time per operation."""
    server_busy: float
    """Share of a core that the server had."""
    server_waited: float
    """Share of the time in which the server could have run, while others had its core: above some percent, noise."""
    load_busy: float
    """Share of a core that the load generator had."""
    p50_ms: float | None = None
    """Median of how long an operation took: an answer, a broadcast to its last member, a connect with its join."""
    p99_ms: float | None = None
    """The same for all but the slowest in a hundred."""
    max_ms: float | None = None
    """The slowest."""
    kb: float | None = None
    """Resident memory per client, where that was weighed."""

    @property
    def per_second(self) -> float:
        """Operations a second."""
        return self.count / self.seconds

    @property
    def bound(self) -> str:
        """Which side was the bottleneck."""
        sides = [name for name, busy in (("server", self.server_busy), ("load", self.load_busy)) if busy >= BUSY]
        return "+".join(sides) or "neither"


class Sample:
    """One moment of a load."""

    def __init__(self, client: Client) -> None:
        self.count = client.done
        self.server_cpu_ns = client.server.cpu_ns()
        self.server_waited_ns = client.server.waited_ns()
        self.load_cpu_ns = time.process_time_ns()
        self.wall_ns = time.perf_counter_ns()


def between(first: Sample, last: Sample, latencies_ns: Sequence[int], kb: float | None = None) -> Figures:
    """Make the figures of the time between two samples."""
    count = last.count - first.count
    if count <= 0:
        raise Fault("nothing was answered while it was measured")
    wall = last.wall_ns - first.wall_ns
    cpu = last.server_cpu_ns - first.server_cpu_ns
    ordered = sorted(latencies_ns)
    return Figures(
        count=count,
        seconds=wall / 1e9,
        cpu_us=cpu / 1e3 / count,
        server_busy=cpu / wall,
        server_waited=(last.server_waited_ns - first.server_waited_ns) / wall,
        load_busy=(last.load_cpu_ns - first.load_cpu_ns) / wall,
        p50_ms=_percentile(ordered, 50),
        p99_ms=_percentile(ordered, 99),
        max_ms=_percentile(ordered, 100),
        kb=kb,
    )


def _percentile(ordered: Sequence[int], percent: int) -> float | None:
    return ordered[(len(ordered) - 1) * percent // 100] / 1e6 if ordered else None


class Loop:
    """A closed loop: whoever gets an answer asks again, until it is over."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.asking = True
        """Whether to ask again."""
        self._outstanding = 0
        self._drained = asyncio.Event()
        self.recording = False
        """Whether to keep how long answers take."""
        self.latencies: list[int] = []
        """In ns."""

    def began(self) -> int:
        """Count a question; returns what `done` wants."""
        self._outstanding += 1
        return time.perf_counter_ns()

    def done(self, asked_ns: int) -> None:
        """Count an answer."""
        self._outstanding -= 1
        if self.recording:
            self.latencies.append(time.perf_counter_ns() - asked_ns)
        if not self.asking and not self._outstanding:
            self._drained.set()

    async def measure(self, warmup: float, seconds: float) -> Figures:
        """Let it run for so long; then wait for the last answers, which have to come."""
        gc.collect()
        gc.freeze()
        gc.disable()
        await asyncio.sleep(warmup)
        first = Sample(self.client)
        self.recording = True
        await asyncio.sleep(seconds)
        while self.client.done == first.count:  # noqa: ASYNC110 - others have the cores; `watch` says when that is too long
            await asyncio.sleep(seconds)
        self.recording = False
        last = Sample(self.client)
        gc.enable()
        await self.drain()
        return between(first, last, self.latencies)

    async def drain(self) -> None:
        """Have nobody ask again, and wait for the last answers, which have to come."""
        self.asking = False
        if self._outstanding:
            self._drained.clear()
            try:
                async with asyncio.timeout(DRAIN):
                    await self._drained.wait()
            except TimeoutError:
                raise Fault(f"{self._outstanding} answers never came") from None
