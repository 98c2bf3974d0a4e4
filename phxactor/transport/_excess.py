"""Limits for work that no rate of messages counts: pings, pongs, tiny fragments, turns of clients that left.

Pings, pongs and tiny fragments have rates of their own (`Excess`); a client that stays above one is disconnected.
"""

from __future__ import annotations

from time import perf_counter, thread_time
from typing import Final, final

from phxactor.runtime import Pauses
from phxactor.socket import RateLimit

PINGS: Final = 100
"""Pings and pongs that a client may send per second; after ten seconds' worth above this, it is disconnected."""
SPLINTER: Final = 16
"""Fragments of fewer bytes than this are counted."""
SPLINTERS: Final = 1000
"""Counted fragments that a client may send per second; the same rule holds."""
LAST_TURNS: Final = 3
"""Turns for the last messages of a client that has left without a close frame; no client gets the answers."""
PROBE: Final = 0.1
"""Seconds of CPU time between two probes of a client, divided by the number of clients that want turns."""


@final
class Excess:
    """The limits of one client; made at its first ping, fragment or turn."""

    __slots__ = ("_began", "_last_turns", "_since", "_work", "pings", "splinters")

    def __init__(self, pauses: Pauses) -> None:
        self.pings = RateLimit(PINGS, pauses)
        self.splinters = RateLimit(SPLINTERS, pauses)
        self._last_turns = LAST_TURNS
        self._began = 0.0
        """CPU time of the thread when the client's last turn began: on a busy machine, a turn that waits is no work."""
        self._work = 0.0
        """Seconds of CPU time in turns since the last probe."""
        self._since = 0.0
        """Time at which the first of these turns began, by `perf_counter`."""

    def take_last_turn(self) -> bool:
        """Count a turn of a client that has left; return whether it may have it."""
        self._last_turns -= 1
        return self._last_turns >= 0

    def begin_turn(self) -> None:
        """Start to measure a turn's work."""
        self._began = thread_time()
        if not self._work:
            self._since = perf_counter()

    def end_turn(self, others: int) -> float | None:
        """Add the turn's work. If a probe is due, return the seconds since the first turn that it covers; else None.

        The more `others` wait for turns, the less work makes a probe due: they may have left as well.
        """
        self._work += thread_time() - self._began
        if self._work * (1 + others) < PROBE:
            return None
        self._work = 0.0
        return perf_counter() - self._since
