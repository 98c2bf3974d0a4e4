"""Interest: the lanes that this node watches. Pure: the caller passes the time, and tells the carriers.

watch ──▶ unconfirmed ──(all carriers that are there)──▶ confirmed
unwatch ──▶ in its grace ──(5 s)──▶ given up
             └── watch: as before, without a word to anybody
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, final

GRACE: Final = 5.0
"""Seconds for which a lane is still watched after the last subscriber of its topic left: clients come back."""


@final
class Interest:
    """The watched lanes, and which carriers have yet to confirm each."""

    __slots__ = ("_ending", "lanes", "unconfirmed")

    def __init__(self) -> None:
        self.lanes: set[str] = set()
        """All lanes that are watched, those in their grace too."""
        self.unconfirmed: dict[str, frozenset[str]] = {}
        """The carriers that have yet to confirm a lane; a lane that is not here is confirmed."""
        self._ending: dict[str, float] = {}

    def watch(self, lane: str, carriers: frozenset[str]) -> bool:
        """Watch a lane that `carriers` have to confirm. Returns whether it was not watched yet."""
        if lane in self.lanes:
            self._ending.pop(lane, None)
            return False
        self.lanes.add(lane)
        if carriers:
            self.unconfirmed[lane] = carriers
        return True

    def unwatch(self, lane: str, now: float) -> None:
        """Begin the grace of a lane that is watched, unless it has begun."""
        if lane in self.lanes:
            self._ending.setdefault(lane, now + GRACE)

    def next_end(self) -> float | None:
        """Return when the next grace is over; None if there is none."""
        return next(iter(self._ending.values()), None)

    def given_up(self, now: float) -> list[str]:
        """Give up the lanes whose grace is over, and return them."""
        ended: list[str] = []
        for lane, end in self._ending.items():
            if end > now:
                break
            ended.append(lane)
        for lane in ended:
            del self._ending[lane]
            self.lanes.discard(lane)
            self.unconfirmed.pop(lane, None)
        return ended

    def confirmed(self, carrier: str, lanes: Iterable[str]) -> list[str]:
        """Note that a carrier has confirmed lanes. Returns those that are now confirmed by all."""
        done: list[str] = []
        for lane in lanes:
            waited = self.unconfirmed.get(lane)
            if waited is None or carrier not in waited:
                continue
            rest = waited - {carrier}
            if rest:
                self.unconfirmed[lane] = rest
            else:
                del self.unconfirmed[lane]
                done.append(lane)
        return done

    def without(self, carrier: str) -> list[str]:
        """Wait no longer for a carrier that is away. Returns the lanes that are now confirmed by all others."""
        return self.confirmed(carrier, list(self.unconfirmed))
