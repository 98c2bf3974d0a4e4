"""Pauses of the program, for rate limits: messages that came during a pause are read all at once after it.

When a stopped program (SIGSTOP, a paused virtual machine, a handler that computes) goes on, its sockets hold what its
clients have sent meanwhile, each at its permitted rate. A task that wakes every `SLICE` seconds detects such pauses.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final, final

import trio

SLICE: Final = 0.5
"""Seconds between two wake-ups of the task."""
LATE: Final = 0.1
"""Seconds by which a wake-up may be late in a program that is busy; beyond that the program has paused."""
MOST: Final = 10.0
"""Seconds of a pause that count, at most."""
CATCH_UP: Final = 5.0
"""Seconds after a pause in which data from the pause may still be read."""


@final
class Pauses:
    """Records when the program last paused."""

    __slots__ = ("_began", "_now", "_seen", "_until")

    def __init__(self, now: Callable[[], float]) -> None:
        """Start without a pause. `now` reads the clock. Pauses are detected only while `run` runs."""
        self._now = now
        self._seen = now()
        self._began = 0.0
        self._until = -inf
        """The time in seconds, by `now`, when the data of the last pause counts as read."""

    async def run(self) -> None:
        """Call `look` every `SLICE` seconds: the body of a task."""
        while True:
            await trio.sleep(SLICE)
            self.look()

    def look(self) -> None:
        """Record that the program runs, and detect a pause before that."""
        now = self._now()
        self.sent_since(now)
        self._seen = now

    def sent_since(self, now: float) -> float:
        """Return the earliest time when data that is read now may have been sent: `now`, or the start of a pause."""
        if now - self._seen > SLICE + LATE:
            if self._until <= now:  # else this is a second pause before the data of the first one was read
                self._began = self._seen
            self._until = now + CATCH_UP
            self._seen = now
        return now if self._until <= now else max(self._began, now - MOST)
