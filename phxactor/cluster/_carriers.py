"""Carriers: those of one node together. Who can carry now, what each has carried, and by whom a sender comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, final

from phxactor.cluster._carried import Carried
from phxactor.cluster._statistics import CarrierStatistics, Health

if TYPE_CHECKING:
    from phxactor.cluster._carrier import Carrier
    from phxactor.cluster._view import View
    from phxactor.runtime import Runtime, Timer

TRAFFIC: Final = 10.0
"""Seconds between two events `traffic`."""


@final
class Carriers:
    """The carriers of one node. They all start out away; once the node has ended there are none."""

    __slots__ = ("_runtime", "_traffic", "_view", "by_name", "is_one", "names", "there")

    def __init__(self, runtime: Runtime, carriers: Sequence[Carrier], view: View) -> None:
        """Raise ValueError if two carriers have one name."""
        self._runtime = runtime
        self._view = view
        self.by_name: Final = {one.name: Carried(one, runtime) for one in carriers}
        if len(self.by_name) != len(carriers):
            raise ValueError(f"two carriers have one name: {', '.join(one.name for one in carriers)}")
        self.is_one: Final = len(carriers) == 1
        """Whether there is one only, by which all senders come."""
        self.there: list[Carried] = []
        """Those that are not away."""
        self.names: frozenset[str] = frozenset()
        """Their names."""
        self._traffic: Timer | None = None

    def found(self, carrier: Carrier) -> Carried | None:
        """Return what is known of a carrier; None once the node has ended."""
        return self.by_name.get(carrier.name)

    def brings(self, carrier: Carrier, sender_id: bytes) -> bool:
        """Say whether messages of a sender come by this carrier: another one may cover the sender."""
        return self.is_one or not any(
            one.carrier is not carrier and one.carrier.covers(sender_id) for one in self.by_name.values()
        )

    def away(self, carrier: Carrier, why: str) -> bool:
        """Note that a carrier cannot carry, or still cannot, for this reason. Returns whether it could."""
        one = self.by_name.get(carrier.name)
        if one is None or not one.go(why, self._runtime.now()):
            return False
        self._set_there()
        return True

    def back(self, carrier: Carrier) -> None:
        """Note that a carrier can carry."""
        one = self.by_name.get(carrier.name)
        if one is not None and one.away is not None:
            one.come_back(self._runtime.now())
            self._set_there()

    def drop_for_those_away(self, size: int) -> None:
        """Count a message that carriers which are away could not take."""
        for one in self.by_name.values():
            if one.away is not None:
                one.drop("away", 1, size)

    def health(self) -> Health:
        """Return whether all can carry."""
        away = tuple(one.away for one in self.by_name.values() if one.away is not None)
        return Health("degraded" if away else "ready", away)

    def statistics(self) -> dict[str, CarrierStatistics]:
        """Return the counts of each, by name."""
        return {name: one.statistics(len(self._view.reached(name))) for name, one in self.by_name.items()}

    def start(self) -> None:
        """Tell of the traffic from now on."""
        self._traffic = self._runtime.timers.add(TRAFFIC, self._tell_traffic, None)

    def end(self) -> None:
        """Have no carriers any more, and tell nothing."""
        if self._traffic is not None:
            self._runtime.timers.discard(self._traffic)
            self._traffic = None
        for one in self.by_name.values():
            one.end()
        self.by_name.clear()
        self._set_there()

    def _set_there(self) -> None:
        self.there = [one for one in self.by_name.values() if one.away is None]
        self.names = frozenset(one.name for one in self.there)

    def _tell_traffic(self, _: None) -> None:
        for name, one in self.by_name.items():
            one.tell_traffic(len(self._view.reached(name)))
        self.start()
