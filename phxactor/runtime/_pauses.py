"""Pauses of the program, for who counts what others do in a second: what was sent meanwhile is read all at once.

A program that was stopped (SIGSTOP, a virtual machine that paused, a handler that computes) finds in its sockets what
its clients have sent in time. A task that wakes up every `SLICE` seconds shows that the program goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final, final

import trio

SLICE: Final = 0.5
"""Seconds between two signs that the program goes on."""
LATE: Final = 0.1
"""Seconds by which a sign may be late, and the program has not paused: it was only busy."""
MOST: Final = 10.0
"""Seconds of a pause that count, at the most."""
CATCH_UP: Final = 5.0
"""Seconds after a pause in which what was sent meanwhile is read."""


@final
class Pauses:
    """When the program last paused."""

    __slots__ = ("_began", "_now", "_seen", "_until")

    def __init__(self, now: Callable[[], float]) -> None:
        """Start without one; `run` must be running for any to be seen. `now` reads the clock."""
        self._now = now
        self._seen = now()
        self._began = 0.0
        self._until = -inf
        """When the last pause has been caught up with."""

    async def run(self) -> None:
        """Look again and again: the body of a task."""
        while True:
            await trio.sleep(SLICE)
            self.look()

    def look(self) -> None:
        """Note that the program goes on."""
        now = self._now()
        self.sent_since(now)
        self._seen = now

    def sent_since(self, now: float) -> float:
        """Return from when on what is read now may have been sent: `now`, or after a pause its beginning."""
        if now - self._seen > SLICE + LATE:
            if self._until <= now:  # else it pauses again, before all was read that waits since the first time
                self._began = self._seen
            self._until = now + CATCH_UP
            self._seen = now
        return now if self._until <= now else max(self._began, now - MOST)
