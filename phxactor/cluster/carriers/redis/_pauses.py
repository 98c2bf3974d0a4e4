"""How long to wait before the next try to connect."""

from __future__ import annotations

from random import Random
from typing import Final, final

FIRST: Final = 0.1
"""Seconds before the first new try, without jitter."""
LONGEST: Final = 5.0
"""Seconds that the pauses grow to, without jitter."""


@final
class Pauses:
    """Seconds before each try: 0.1, doubling to 5, each made shorter at random by a tenth to a half (CL24).

    So nodes that lost one Redis together do not come back together, and each is back within 5 seconds of Redis.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._next = FIRST

    def next(self) -> float:
        """Return the seconds to wait now; the next pause is longer."""
        seconds = self._next * self._random.uniform(0.5, 0.9)
        self._next = min(LONGEST, self._next * 2)
        return seconds

    def reset(self) -> None:
        """Begin anew: a subscription was confirmed."""
        self._next = FIRST
