"""Restart intensity: after how many restarts a supervisor gives up. Pure (docs/otp-semantics.md, section 6.4)."""

from __future__ import annotations

from collections import deque


class Intensity:
    """Counts the restarts of one supervisor, whichever child they were for (S43).

    More than `max_restarts` within `max_seconds` are too many (S40). Seconds are whole ones, as on the BEAM: a restart
    counts while the second it fell in lies at most `max_seconds` back, up to one second longer than stated (S44).
    """

    __slots__ = ("_seconds", "max_restarts", "max_seconds")

    def __init__(self, max_restarts: int, max_seconds: int) -> None:
        """Start with none. Raises ValueError unless both are whole, and not negative or positive respectively (S5)."""
        if type(max_restarts) is not int or max_restarts < 0:
            raise ValueError(f"max_restarts is a whole number from 0, not {max_restarts!r}")
        if type(max_seconds) is not int or max_seconds < 1:
            raise ValueError(f"max_seconds is a whole number from 1, not {max_seconds!r}")
        self.max_restarts = max_restarts
        self.max_seconds = max_seconds
        self._seconds: deque[int] = deque()

    def restart(self, now: float) -> bool:
        """Count one restart; false when it is one too many and must not be carried out."""
        self._seconds.append(int(now))
        return self.used(now) <= self.max_restarts

    def used(self, now: float) -> int:
        """Count the restarts that matter still."""
        seconds, oldest = self._seconds, int(now) - self.max_seconds
        while seconds and seconds[0] < oldest:
            seconds.popleft()
        return len(seconds)
