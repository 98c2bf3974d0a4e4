"""What a client does more often than any needs to: it costs work that no rate of messages counts.

Pings, pongs and the tiniest fragments have rates of their own (`Excess`), and whoever does not stop is disconnected.
"""

from __future__ import annotations

from time import perf_counter
from typing import Final, final

from phxactor.socket import RateLimit

PINGS: Final = 100
"""Pings and pongs that a client may send in a second; ten times as many that are too many, and it is let go."""
SPLINTER: Final = 16
"""Bytes of a fragment below which it counts."""
SPLINTERS: Final = 1000
"""Such fragments that a client may send in a second, as with pings."""
LAST_TURNS: Final = 3
"""Turns that a client has who has left without a close frame: for what it has sent last; nobody hears an answer."""
PROBE: Final = 0.1
"""Seconds of work for all who wait for turns, after which it is asked whether they are still there."""


@final
class Excess:
    """The rates of one client, made when it sends what they count, or has much work done."""

    __slots__ = ("_began", "_last_turns", "_since", "_work", "pings", "splinters")

    def __init__(self) -> None:
        self.pings = RateLimit(PINGS)
        self.splinters = RateLimit(SPLINTERS)
        self._last_turns = LAST_TURNS
        self._began = 0.0
        """When its last turn began."""
        self._work = 0.0
        """Seconds of work since it was asked whether it is there."""
        self._since = 0.0
        """When that was."""

    def take_last_turn(self) -> bool:
        """Let a client that has left have one more turn, or not."""
        self._last_turns -= 1
        return self._last_turns >= 0

    def begin_turn(self) -> None:
        """Count what is done from now on."""
        self._began = perf_counter()
        if not self._work:
            self._since = self._began

    def end_turn(self, others: int) -> float | None:
        """Count it. After much work return the seconds since that was done last: is the client still there?

        How much that is, depends on how many `others` there are who wait for their turn: they may have left as well.
        """
        now = perf_counter()
        self._work += now - self._began
        if self._work * (1 + others) < PROBE:
            return None
        self._work = 0.0
        return now - self._since
