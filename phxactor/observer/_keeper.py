"""The process that keeps the history, the crashes and the log; it runs also while nobody looks.

It wakes once a second to see how late the event loop is, takes a point every five seconds, and counts what events
tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from phxactor.observer._crash_events import CRASHES, crashed
from phxactor.observer._history import STEP
from phxactor.observer._hub import Hub
from phxactor.observer._totals import total
from phxactor.otp import GenServer
from phxactor.otp.supervisor_events import restarted
from phxactor.runtime import Pid, own, self_pid, send_after
from phxactor.socket.events import joined
from phxactor.telemetry import Event

LAG_STEP: Final = 1.0
"""Seconds between two looks at how late the event loop is."""
LOOKS: Final = round(STEP / LAG_STEP)
"""Looks from one point to the next."""


class HistoryKeeper(GenServer):
    """The process."""

    async def init(self, hub: Hub) -> None:
        """Follow events from now on."""
        self.hub = hub
        self.pid = self_pid()
        for event in (*CRASHES, restarted, joined):
            event.attach(self.count)
        hub.stories.attach()
        hub.log.attach()
        own(self.pid, self.detach)
        self.looks = 0
        self.due = self.pid.runtime.now() + LAG_STEP
        send_after(self.pid, "look", LAG_STEP)

    def count(self, event: Event, fields: Mapping[str, Any]) -> None:
        """Count an event; runs in the process that emits it."""
        counts = self.hub.history.counts
        if event is joined:
            counts["joins"] += 1
        elif event is restarted:
            counts["restarts"] += fields["supervisor"].runtime is self.pid.runtime
        elif crashed(fields, self.pid.runtime) is not None:
            counts["crashes"] += 1

    def detach(self, _: Pid) -> None:
        """Follow no more events."""
        for event in (*CRASHES, restarted, joined):
            event.detach(self.count)
        self.hub.stories.detach()
        self.hub.log.detach()

    async def handle_info(self, message: object) -> None:
        """Look how late the loop is, and which stories are over; take a point after every fifth look."""
        history, now = self.hub.history, self.pid.runtime.now()
        history.lag = max(history.lag, now - self.due)
        self.hub.stories.close(now)
        self.looks += 1
        if self.looks % LOOKS == 0:
            history.take(total(self.pid.runtime, self.hub.endpoint), self.hub.live)
        self.due = self.pid.runtime.now() + LAG_STEP
        send_after(self.pid, "look", LAG_STEP)
