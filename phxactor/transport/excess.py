"""What a client does more often than any needs to: it costs work that no rate of messages counts.

Pings, pongs and the tiniest fragments have rates of their own (`Excess`), and whoever does not stop is disconnected.
"""

from __future__ import annotations

from typing import Final, final

from phxactor.socket.rate_limit import RateLimit

PINGS: Final = 100
"""Pings and pongs that a client may send in a second; ten times as many that are too many, and it is let go."""
SPLINTER: Final = 16
"""Bytes of a fragment below which it counts."""
SPLINTERS: Final = 1000
"""Such fragments that a client may send in a second, as with pings."""
LAST_TURNS: Final = 3
"""Turns that a client has who has left without a close frame: for what it has sent last; nobody hears an answer."""


@final
class Excess:
    """The rates of one client, made when it sends what they count, or has much work done."""

    __slots__ = ("_last_turns", "pings", "splinters")

    def __init__(self) -> None:
        self.pings = RateLimit(PINGS)
        self.splinters = RateLimit(SPLINTERS)
        self._last_turns = LAST_TURNS

    def take_last_turn(self) -> bool:
        """Let a client that has left have one more turn, or not."""
        self._last_turns -= 1
        return self._last_turns >= 0
