"""What a node knows of one of its carriers: its counts, and since when it is away."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, final

import attrs

from phxactor.cluster import events
from phxactor.cluster._statistics import Away, CarrierStatistics
from phxactor.cluster._tally import Tally

if TYPE_CHECKING:
    from phxactor.cluster._carrier import Carrier
    from phxactor.runtime import Runtime

REASONS: Final = 8
"""Reasons that are told while a carrier is away: each once."""


@final
class Carried:
    """The counts of one carrier."""

    def __init__(self, carrier: Carrier, runtime: Runtime) -> None:
        self.carrier = carrier
        self.name = carrier.name
        self.away: Away | None = Away(self.name, "it has not connected yet", runtime.now(), time.time())
        self._reasons: set[str] = set()
        """Why it is away, as events have told."""
        self.sent = 0
        self.sent_bytes = 0
        self.received = 0
        self.received_bytes = 0
        self.dropped = 0
        self.dropped_bytes = 0
        self.gaps = 0
        self.last_heard: float | None = None
        self._told = (0, 0, 0, 0, 0, 0)
        """The counts at the last `traffic`."""
        self.drops = Tally(self.name, events.dropping, runtime.timers)
        self.refused = Tally(self.name, events.refusing, runtime.timers)

    def go(self, why: str, now: float) -> bool:
        """Note that it cannot carry, or still cannot, for this reason. Returns whether it could."""
        could = self.away is None
        self.away = Away(self.name, why, now, time.time()) if self.away is None else attrs.evolve(self.away, why=why)
        if why not in self._reasons and len(self._reasons) < REASONS:
            self._reasons.add(why)
            if events.away.handlers:
                events.away.emit(carrier=self.name, why=why)
        return could

    def come_back(self, now: float) -> None:
        """Note that it can carry again."""
        seconds = 0.0 if self.away is None else now - self.away.since
        self.away = None
        self._reasons.clear()
        if events.back.handlers:
            events.back.emit(carrier=self.name, seconds=seconds)

    def drop(self, why: str, messages: int, size: int) -> None:
        """Count messages that could not go."""
        self.dropped += messages
        self.dropped_bytes += size
        self.drops.add(why, messages)
        if events.dropped.handlers:
            events.dropped.emit(carrier=self.name, why=why, messages=messages, bytes=size)

    def refuse(self, fault: str) -> None:
        """Count a message that has come and is dropped."""
        self.refused.add(fault)
        if events.refused.handlers:
            events.refused.emit(carrier=self.name, fault=fault)

    def tell_traffic(self, nodes: int) -> None:
        """Emit `traffic`: what has been carried since the last time."""
        counts = (self.sent, self.sent_bytes, self.received, self.received_bytes, self.dropped, self.dropped_bytes)
        since = [now - then for now, then in zip(counts, self._told, strict=True)]
        self._told = counts
        if events.traffic.handlers:
            names = ("sent", "sent_bytes", "received", "received_bytes", "dropped", "dropped_bytes")
            events.traffic.emit(carrier=self.name, nodes=nodes, **dict(zip(names, since, strict=True)))

    def end(self) -> None:
        """Tell no more."""
        self.drops.end()
        self.refused.end()

    def statistics(self, nodes: int) -> CarrierStatistics:
        """Return the counts."""
        return CarrierStatistics(
            nodes=nodes,
            away=self.away,
            sent=self.sent,
            sent_bytes=self.sent_bytes,
            received=self.received,
            received_bytes=self.received_bytes,
            dropped=self.dropped,
            dropped_bytes=self.dropped_bytes,
            refused=dict(self.refused.counts),
            gaps=self.gaps,
            last_heard=self.last_heard,
        )
