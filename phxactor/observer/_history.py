"""Totals of the last hour, kept always: one process that looks every five seconds, and counts what events tell."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Mapping
from math import isnan, nan
from typing import Any, Final, final

from phxactor.observer._hub import Hub
from phxactor.observer._totals import Totals, total
from phxactor.otp import GenServer
from phxactor.otp import events as servers
from phxactor.otp import supervisor_events as supervisors
from phxactor.runtime import Pid, Timer, own, self_pid, send_after
from phxactor.runtime import events as processes
from phxactor.socket.events import joined
from phxactor.telemetry import Event

STEP: Final = 5.0
"""Seconds from one point to the next."""
POINTS: Final = 720
"""Points that are kept: an hour."""
LAG_STEP: Final = 0.5
"""Seconds between two looks at how late the event loop is."""

SERIES: Final = ("processes", "messages", "connections", "memory", "lag", "joins", "crashes", "restarts")
"""What is kept; joins, crashes and restarts are numbers within a step, lag is the largest in seconds."""


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
        self.totals: Totals | None = None
        self._counted: Counter[str] = Counter()

    def take(self, totals: Totals) -> None:
        """Take a point."""
        counted, self._counted = self._counted, Counter(self.counts)
        values: dict[str, float] = {
            "processes": totals.processes,
            "messages": totals.messages,
            "connections": totals.connections,
            "memory": totals.memory,
            "lag": self.lag,
            **{name: self.counts[name] - counted[name] for name in ("joins", "crashes", "restarts")},
        }
        place = self.at % POINTS
        for name, ring in self.rings.items():
            ring[place] = values[name]
        self.at += 1
        self.lag = 0.0
        self.totals = totals
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


class HistoryKeeper(GenServer):
    """The process that keeps the history."""

    async def init(self, hub: Hub) -> None:
        """Count events from now on; the hub shows what is kept, also that of before a restart."""
        self.hub = hub
        self.pid = self_pid()
        self.history = hub.history = hub.history or History()
        counted: dict[Event, str] = {
            joined: "joins",
            processes.crashed: "crashes",
            servers.terminated: "crashes",
            servers.task_terminated: "crashes",
            supervisors.restarted: "restarts",
        }
        self.counted = counted
        for event in counted:
            event.attach(self.count)
        own(self.pid, self.detach)
        self.history.take(total(self.pid.runtime, hub.endpoint))
        self.due = self.pid.runtime.now() + LAG_STEP
        self.looks = 0
        self.timer: Timer = send_after(self.pid, "look", LAG_STEP)

    def count(self, event: Event, fields: Mapping[str, Any]) -> None:
        """Count an event; runs in the process that emits it."""
        pid = fields.get("pid")
        if pid is None or (isinstance(pid, Pid) and pid.runtime is self.pid.runtime):
            self.history.counts[self.counted[event]] += 1

    def detach(self, _: Pid) -> None:
        """Count no more."""
        for event in self.counted:
            event.detach(self.count)

    async def handle_info(self, message: object) -> None:
        """Look how late the loop is; take a point after every tenth look."""
        now = self.pid.runtime.now()
        history = self.history
        history.lag = max(history.lag, now - self.due)
        self.looks += 1
        if self.looks % round(STEP / LAG_STEP) == 0:
            history.take(total(self.pid.runtime, self.hub.endpoint))
        self.due = self.pid.runtime.now() + LAG_STEP
        self.timer = send_after(self.pid, "look", LAG_STEP)
