"""Rate limits: messages per second, and when a client that exceeds them is disconnected."""

from __future__ import annotations

from typing import Final, final

from phxactor.runtime import Pauses, Runtime

ABUSE: Final = 10
"""A client is disconnected after this many seconds' worth of refused messages."""


@final
class RateLimit:
    """A leaky bucket (GCRA) that holds one second's worth of messages, and at least one.

    In any `t` seconds it lets at most `per_second * t` messages through, and one second's worth more. After a
    pause of the program, it also lets through what was allowed in the pause: those messages are read all at once.
    """

    __slots__ = ("_burst", "_free_at", "_interval", "_pauses", "_tolerance", "refused")

    def __init__(self, per_second: float, pauses: Pauses | None = None) -> None:
        """Start with a full bucket. Without `pauses`, messages sent in a pause of the program may be refused."""
        self._pauses = pauses
        self._interval = 1 / per_second
        self._burst = max(1.0, per_second)
        self._tolerance = (self._burst - 1 + 1e-6) * self._interval  # rounding would refuse one otherwise
        self._free_at = 0.0
        """The time at which the bucket is full again."""
        self.refused = 0
        """Messages refused since the bucket was full."""

    def take(self, now: float) -> bool:
        """Return whether a message may pass, and count it."""
        if self._free_at <= now:
            self.owe(now)
            self.refused = 0
            return True
        if self._free_at - now <= self._tolerance:
            self._free_at += self._interval
            return True
        self.refused += 1
        return False

    def owe(self, now: float) -> None:
        """Count a message that passes in any case; `delay` says how long the next one should wait."""
        if self._free_at <= now:
            sent_since = now if self._pauses is None else self._pauses.sent_since(now)
            self._free_at = max(self._free_at, sent_since)
        self._free_at += self._interval

    def delay(self, now: float) -> float:
        """Return the seconds until a message may pass."""
        return max(0.0, self._free_at - now - self._tolerance)

    @property
    def abused(self) -> bool:
        """Whether so many messages were refused that the client must be disconnected."""
        return self.refused > ABUSE * self._burst


def rate_limit(per_second: float | None, runtime: Runtime) -> RateLimit | None:
    """Make the limit of an option; None for no limit."""
    return None if per_second is None else RateLimit(per_second, runtime.pauses)
