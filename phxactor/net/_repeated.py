"""A fault that repeats: told at once, and then once a minute with a count. Pure: the caller passes the current time."""

from __future__ import annotations

import math
from typing import Final, final

WINDOW: Final = 60.0
"""Seconds from one time that it is told to the next."""


@final
class Repeated:
    """Counts a fault, and says when to tell it."""

    __slots__ = ("_until", "untold")

    def __init__(self) -> None:
        self.untold = 0
        """How often it has happened since it was told."""
        self._until = -math.inf

    def note(self, now: float) -> int:
        """Count it once more; return as `due` does."""
        self.untold += 1
        return self.due(now)

    def due(self, now: float) -> int:
        """Return how often it has happened since it was told, if it is to be told now, and begin anew; else 0."""
        if not self.untold or now < self._until:
            return 0
        self._until = now + WINDOW
        told, self.untold = self.untold, 0
        return told
