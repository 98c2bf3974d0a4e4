"""Restart intensity: when a supervisor gives up. Pure code without processes (docs/otp-semantics.md, section 6.4)."""

from __future__ import annotations

from collections import deque

from phxactor import _checks as check


class Intensity:
    """Counts the restarts of one supervisor, over all its children (S43).

    More than `max_restarts` within `max_seconds` are too many (S40). Times are rounded down to whole seconds, as on the
    BEAM. So a restart may count for up to one second longer than `max_seconds` (S44).
    """

    __slots__ = ("_seconds", "max_restarts", "max_seconds")

    def __init__(self, max_restarts: int, max_seconds: int) -> None:
        """Start without restarts. Raises TypeError or ValueError unless both are ints, from 0 and from 1 (S5)."""
        self.max_restarts = check.whole("max_restarts", max_restarts, 0)
        self.max_seconds = check.whole("max_seconds", max_seconds, 1)
        self._seconds: deque[int] = deque()

    def restart(self, now: float) -> bool:
        """Count one restart; return False if it is one too many, so that the supervisor must give up."""
        self._seconds.append(int(now))
        return self.used(now) <= self.max_restarts

    def used(self, now: float) -> int:
        """Return the number of restarts within the last `max_seconds`."""
        seconds, oldest = self._seconds, int(now) - self.max_seconds
        while seconds and seconds[0] < oldest:
            seconds.popleft()
        return len(seconds)
