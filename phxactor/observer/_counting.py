"""Messages that servers and channels handle, and how long that takes: counted only while somebody looks.

What counts takes the place of the handlers in the tables of servers (`phxactor.otp.interpose`). So a message costs
nothing more while nobody looks, and servers that run already are counted from their next message on.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from time import perf_counter
from typing import Final, final

from phxactor.otp import Handler, Outcome, ServerProcess, interpose, withdraw
from phxactor.runtime import Pid, Runtime

BOUNDS: Final[tuple[float, ...]] = tuple(0.000_01 * (1 << n) for n in range(24))
"""Upper bounds of durations in seconds: from 10 µs to 84 s, each twice the one before."""


@final
class Counting:
    """Counts in one runtime."""

    def __init__(self, runtime: Runtime) -> None:
        """Count nothing yet."""
        self.runtime = runtime
        self.counts: dict[Pid, int] = {}
        """Messages since `second`, by process."""
        self.totals: dict[Pid, int] = {}
        """Messages since the counting began, by process."""
        self.rates: dict[Pid, float] = {}
        """Messages of the last second, by process."""
        self.rate = 0.0
        """Messages of all processes in the last second."""
        self.durations = [0] * (len(BOUNDS) + 1)
        """How many messages took how long since `take_durations`."""
        self.at = runtime.now()

    def start(self) -> None:
        """Count from now on."""
        self.at = self.runtime.now()
        interpose(self.around)

    def stop(self) -> None:
        """Count no more."""
        withdraw(self.around)

    def around(self, _: type[ServerProcess], __: type | None, handler: Handler) -> Handler:
        """Return a handler that counts each message."""
        runtime, counting = self.runtime, self

        async def counted(process: ServerProcess, message: object) -> Outcome:
            pid = process.pid
            if pid.runtime is not runtime:
                return await handler(process, message)
            counts = counting.counts
            counts[pid] = counts.get(pid, 0) + 1
            began = perf_counter()
            try:
                return await handler(process, message)
            finally:
                counting.durations[bisect_left(BOUNDS, perf_counter() - began)] += 1

        return counted

    def second(self) -> None:
        """Make rates of what was counted since the last time, and begin anew."""
        now = self.runtime.now()
        seconds, self.at = max(now - self.at, 0.001), now
        counts, self.counts = self.counts, {}
        totals = self.totals
        for pid, count in counts.items():
            if pid.alive:
                totals[pid] = totals.get(pid, 0) + count
            else:
                totals.pop(pid, None)
        self.rates = {pid: count / seconds for pid, count in counts.items()}
        self.rate = sum(counts.values()) / seconds

    def forget(self, pid: Pid) -> None:
        """Let go of a process that has ended."""
        self.totals.pop(pid, None)

    def take_durations(self) -> tuple[float | None, float | None]:
        """Return the median and the 99th percentile in seconds since the last time; None without messages."""
        durations, self.durations = self.durations, [0] * (len(BOUNDS) + 1)
        return quantile(durations, 0.5), quantile(durations, 0.99)


def quantile(durations: list[int], part: float) -> float | None:
    """Return the bound below which this part of the durations lies; None if there are none."""
    wanted = part * sum(durations)
    if not wanted:
        return None
    place = bisect_left([*accumulate(durations)], wanted)
    return BOUNDS[min(place, len(BOUNDS) - 1)]
