"""A tally of messages that came to nothing, by why: counted each, told once a minute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from phxactor.runtime import Timer, Timers
from phxactor.telemetry import Event

WINDOW: Final = 60.0
"""Seconds between two summaries."""


@final
class Tally:
    """Counts by why. The first message is told at once, all that follow within a minute in one event after it."""

    def __init__(self, carrier: str, summary: Event, timers: Timers) -> None:
        self.counts: dict[str, int] = {}
        """All messages so far, by why."""
        self._carrier = carrier
        self._summary = summary
        self._timers = timers
        self._untold: dict[str, int] = {}
        self._timer: Timer | None = None

    def add(self, why: str, messages: int = 1) -> None:
        """Count messages. `why` is one of few words."""
        self.counts[why] = self.counts.get(why, 0) + messages
        self._untold[why] = self._untold.get(why, 0) + messages
        if self._timer is None:
            self._tell(None)

    def end(self) -> None:
        """Tell no more."""
        if self._timer is not None:
            self._timers.discard(self._timer)
            self._timer = None

    def _tell(self, _: None) -> None:
        self._timer = None
        if not self._untold:
            return
        untold, self._untold = self._untold, {}
        tell: Callable[[None], None] = self._tell
        self._timer = self._timers.add(WINDOW, tell, None)
        if self._summary.handlers:
            self._summary.emit(carrier=self._carrier, messages=untold)
