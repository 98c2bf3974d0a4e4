"""Rate limits: so many messages a second, and how much is too much."""

from __future__ import annotations

from typing import Final, final

ABUSE: Final = 10
"""Seconds' worth of messages that may be refused before a client is let go."""


@final
class RateLimit:
    """A bucket of one second's worth of messages, at least one, that fills as time goes by (the leaky one of GCRA).

    In any `t` seconds it lets `per_second * t` messages through, and what one second is worth in addition.
    """

    __slots__ = ("_burst", "_free_at", "_interval", "_tolerance", "refused")

    def __init__(self, per_second: float) -> None:
        """Begin full."""
        self._interval = 1 / per_second
        self._burst = max(1.0, per_second)
        self._tolerance = (self._burst - 1 + 1e-6) * self._interval  # or rounding would take one away
        self._free_at = 0.0
        """When the bucket is full again."""
        self.refused = 0
        """Messages that were too many since it was full."""

    def take(self, now: float) -> bool:
        """Let a message through, or not."""
        if self._free_at <= now:
            self._free_at = now + self._interval
            self.refused = 0
            return True
        if self._free_at - now <= self._tolerance:
            self._free_at += self._interval
            return True
        self.refused += 1
        return False

    def owe(self, now: float) -> None:
        """Let a message through in any case; `delay` says how long the next one should wait."""
        self._free_at = max(self._free_at, now) + self._interval

    def delay(self, now: float) -> float:
        """Return the seconds until a message may come through."""
        return max(0.0, self._free_at - now - self._tolerance)

    @property
    def abused(self) -> bool:
        """Whether so much was too much that the client is to be let go."""
        return self.refused > ABUSE * self._burst


def rate_limit(per_second: float | None) -> RateLimit | None:
    """Make the limit that an option says; None for none."""
    return None if per_second is None else RateLimit(per_second)
