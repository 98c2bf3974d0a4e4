"""How long to wait before the next try to connect."""

from __future__ import annotations

from random import Random
from typing import Final, final

FIRST: Final = 0.1
"""Seconds before the first new try, without jitter."""
AWAY: Final = 1.0
"""Seconds that the pauses grow to while Redis does not answer, without jitter."""
REFUSED: Final = 5.0
"""Seconds that they grow to while Redis answers, and refuses, without jitter."""


@final
class Pauses:
    """Seconds before each try: 0.1, doubling, each made shorter at random by a tenth to a half (CL24).

    A try costs a Redis that is not there nothing, so the pauses grow to a second only, and each node is back within a
    second of Redis; the jitter spreads the nodes over that second. A Redis that answers and refuses has work with each
    try, and only people can change its mind: the pauses grow to five seconds.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._next = FIRST

    def next(self, *, refused: bool = False) -> float:
        """Return the seconds to wait now; the next pause is longer. `refused`: Redis has answered the last try."""
        longest = REFUSED if refused else AWAY
        seconds = min(longest, self._next)
        self._next = min(longest, seconds * 2)
        return seconds * self._random.uniform(0.5, 0.9)

    def reset(self) -> None:
        """Begin anew: a subscription was confirmed."""
        self._next = FIRST
