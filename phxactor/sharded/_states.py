"""The states of keys that move from one node to another: what is sent, what has come, and what must wait."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final, final

from phxactor.otp import UNSET
from phxactor.sharded._instance import TakeOver
from phxactor.sharded._places import Parcel

if TYPE_CHECKING:
    from phxactor.cluster import Node
    from phxactor.sharded._entry import Entry
    from phxactor.sharded._region import Region

MAX_TAKEN: Final = 100_000
"""How many states that have come are remembered, so that none is taken twice."""


@final
class States:
    """The states of one region."""

    def __init__(self, region: Region) -> None:
        """Start without any."""
        self.waiting: list[Parcel] = []
        """Those for which no owner is there yet, or whose keys may not start yet."""
        self._region = region
        self._numbers = count(1)
        self._taken: dict[tuple[Node, int], None] = {}

    def send_of(self, entry: Entry) -> None:
        """Send what a server has given away."""
        self.send(Parcel(self._region.me, next(self._numbers), entry.key, entry.state))

    def send(self, parcel: Parcel) -> None:
        """Send the state of a key to its owner; after it nothing comes that was before it."""
        region = self._region
        owner = region.owner(parcel.key)
        if owner == region.me and not region.suspended:
            self.take(parcel)
        elif owner is not None and owner in region.places.up and region.view is not None and not region.suspended:
            region.places.send_state(owner, region.view.number, parcel)
        else:
            self.waiting.append(parcel)

    def send_waiting(self) -> None:
        """Try again with all that wait."""
        waiting, self.waiting = self.waiting, []
        for parcel in waiting:
            self.send(parcel)

    def take(self, parcel: Parcel) -> None:
        """Take the state of a key, unless it has come before: then the sender has not heard of it."""
        mark = parcel.home, parcel.number
        if mark in self._taken:
            return
        region = self._region
        entry = region.entries.get(parcel.key)
        if entry is None and not region.barrier.is_open:
            self.waiting.append(parcel)
            return
        self._taken[mark] = None
        if len(self._taken) > MAX_TAKEN:
            del self._taken[next(iter(self._taken))]
        region.barrier.expected.discard(parcel.key)
        if entry is None:
            region.open_key(parcel.key, parcel.state)
        elif parcel.state is not UNSET:
            entry.pid.deliver(TakeOver(parcel.state))
