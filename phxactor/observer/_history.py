"""Totals of the last hour, in rings: plain values; `_keeper` has the process that takes them."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Mapping
from math import isnan, nan
from typing import Final, final

from phxactor.observer._totals import Totals

STEP: Final = 5.0
"""Seconds from one point to the next."""
POINTS: Final = 720
"""Points that are kept: an hour."""

SERIES: Final = (
    "processes",
    "waiting",
    "connections",
    "memory",
    "lag",
    "joins",
    "crashes",
    "restarts",
    "messages",
    "p50",
    "p99",
)
"""What is kept.

Crashes and restarts are numbers within a step; joins and messages are rates; lag, p50 and p99 are in seconds. The last
three, messages handled and how long that takes, are only known while somebody looks.
"""


@final
class History:
    """The last `POINTS` points of each series, in rings."""

    def __init__(self) -> None:
        """Start empty."""
        self.started = time.time()
        self.rings = {name: array("d", [nan]) * POINTS for name in SERIES}
        self.at = 0
        """Points taken so far; the place of the next one in the rings is `at % POINTS`."""
        self.last = self.started
        """When the last point was taken, in unix seconds."""
        self.counts: Counter[str] = Counter()
        """Joins, crashes and restarts since the start."""
        self.lag = 0.0
        """The largest delay of the event loop since the last point, in seconds."""
        self._counted: Counter[str] = Counter()

    def take(self, totals: Totals, live: Mapping[str, float | None]) -> None:
        """Take a point; `live` has what is only known while somebody looks."""
        counted, self._counted = self._counted, Counter(self.counts)
        values: dict[str, float | None] = {
            "processes": totals.processes,
            "waiting": totals.messages,
            "connections": totals.connections,
            "memory": totals.memory,
            "lag": self.lag,
            "joins": (self.counts["joins"] - counted["joins"]) / STEP,
            "crashes": self.counts["crashes"] - counted["crashes"],
            "restarts": self.counts["restarts"] - counted["restarts"],
            **live,
        }
        place = self.at % POINTS
        for name, ring in self.rings.items():
            value = values.get(name)
            ring[place] = nan if value is None else value
        self.at += 1
        self.lag = 0.0
        self.last = time.time()

    def series(self) -> dict[str, list[float | None]]:
        """Return all series, the oldest point first; only points that were taken."""
        taken, place = min(self.at, POINTS), self.at % POINTS
        start = place if self.at > POINTS else 0
        return {
            name: [None if isnan(value) else value for value in (ring[start:] + ring[:start])[:taken]]
            for name, ring in self.rings.items()
        }

    def first(self) -> float:
        """Return the unix time of the oldest point."""
        return self.last - STEP * (min(self.at, POINTS) - 1)
