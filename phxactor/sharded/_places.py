"""Where the watches of processes here are, and what goes to regions of other nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, final

import attrs

from phxactor.distribution import CannotTravelError, remote_value
from phxactor.otp import UNSET
from phxactor.runtime import NOCONNECTION, Monitor, Pid, Reason
from phxactor.sharded import events
from phxactor.sharded._ops import Far, Link, Op, fire

if TYPE_CHECKING:
    from phxactor.cluster import Node
    from phxactor.runtime import Runtime

_NO_STATE: Final = (False, None)
PART: Final = 1000
"""Keys in one message at most."""


@attrs.define(eq=False)
class _Place:
    watcher: Monitor | Link
    node: Node
    """Where it is kept, as far as is known here."""


@attrs.frozen(eq=False)
class Parcel:
    """The state of a key that has ended, which another node is to have; UNSET for none."""

    home: Node
    """The node that has made it."""
    number: int
    key: str
    state: object


@final
class Places:
    """The watches of processes of this node that other nodes keep, by number."""

    def __init__(self, runtime: Runtime, name: str, me: Node, numbers: Iterator[int]) -> None:
        """Start without watches and other nodes.

        `numbers` go on after a restart of the region's process: others may still send what is for an older number.
        """
        self.me = me
        self.up: set[Node] = set()
        """The other nodes whose regions are heard."""
        self._runtime = runtime
        self._name = name
        self.numbers = numbers
        self._places: dict[int, _Place] = {}
        self._by_watcher: dict[Monitor | Link, int] = {}
        self._sent: dict[tuple[Node, int], tuple[Node, Parcel]] = {}
        """States that are on their way, and to whom."""

    def post(self, node: Node, *message: object) -> None:
        """Send to the region of a node. Raises CannotTravelError."""
        remote = self._runtime.remote
        target: Pid | None = None if remote is None else remote.named(self._name, node)
        if target is not None:
            target.deliver(message)

    # ----------------------------------------------------------------------------------- what goes there

    def send_on(self, owner: Node, view: int, hops: int, key: str, op: Op) -> None:
        """Send something to the owner of its key. Raises CannotTravelError; then nothing has changed."""
        watcher = op.watcher
        if isinstance(watcher, Monitor) and not watcher.active:
            watcher = None
        number, home = 0, None
        if isinstance(watcher, Far):
            number, home = watcher.number, watcher.node
        elif watcher is not None:
            number, home = next(self.numbers), self.me
        self.post(owner, "to", view, hops + 1, key, op.kind, op.body, home, number)
        if isinstance(watcher, Far):
            if op.kind != "unwatch":
                self._tell_home(watcher, owner)
        elif watcher is not None:
            self._places[number] = _Place(watcher, owner)
            self._by_watcher[watcher] = number

    def _tell_home(self, watcher: Far, owner: Node) -> None:
        if watcher.node == self.me:
            self.moved(watcher.number, owner)
        elif watcher.node in self.up:
            self.post(watcher.node, "placed", watcher.number, owner)

    def send_state(self, owner: Node, view: int, parcel: Parcel) -> None:
        """Send the state of a key to its owner, and keep it until that one has it.

        One that is no data is lost, which is told.
        """
        state, key = parcel.state, parcel.key
        what = _NO_STATE if state is UNSET else (True, state)
        head = ("state", self.me, view, parcel.home, parcel.number, key)
        try:
            self.post(owner, *head, *what)
        except CannotTravelError as error:
            if events.lost.handlers:
                events.lost.emit(name=self._name, key=key, why=str(error))
            self.post(owner, *head, *_NO_STATE)
        self._sent[parcel.home, parcel.number] = owner, parcel

    def has_arrived(self, home: Node, number: int) -> None:
        """Note that the owner has a state."""
        self._sent.pop((home, number), None)

    @property
    def is_sending(self) -> bool:
        """Whether states are on their way."""
        return bool(self._sent)

    def lost_parcels(self, node: Node) -> list[Parcel]:
        """Take back the states that were on their way to a node that is gone."""
        lost = {mark: parcel for mark, (owner, parcel) in self._sent.items() if owner == node}
        for mark in lost:
            del self._sent[mark]
        return [*lost.values()]

    def send_flushed(self, node: Node, view: int, moving: list[str]) -> None:
        """Say that all older messages have gone, and which keys follow."""
        for start in range(0, max(1, len(moving)), PART):
            self.post(node, "flushed", self.me, view, moving[start : start + PART], start + PART >= len(moving))

    def post_keys(self, node: Node, keys: list[str], *, is_added: bool) -> None:
        """Say which keys have started or ended here."""
        for start in range(0, len(keys), PART):
            self.post(node, "runs", self.me, keys[start : start + PART], is_added)

    def answer(self, watcher: Far, value: object) -> None:
        """Send the answer of a call. Raises CannotTravelError."""
        if watcher.node == self.me:
            self.answered(watcher.number, value)
        elif watcher.node in self.up:
            self.post(watcher.node, "answer", watcher.number, value)

    def fire(self, watcher: Far, reason: Reason) -> None:
        """Tell a watcher of another node of an end."""
        if watcher.node == self.me:
            self.fired(watcher.number, reason)
        elif watcher.node in self.up:
            try:
                self.post(watcher.node, "down", watcher.number, reason)
            except CannotTravelError:
                self.post(watcher.node, "down", watcher.number, remote_value(reason))

    # ------------------------------------------------------------------------------------ what comes back

    def _pop(self, number: int) -> _Place | None:
        place = self._places.pop(number, None)
        if place is not None:
            self._by_watcher.pop(place.watcher, None)
        return place

    def answered(self, number: int, value: object) -> None:
        """Take the answer of a call."""
        place = self._pop(number)
        if place is not None and isinstance(place.watcher, Monitor):
            place.watcher.reply(value)

    def fired(self, number: int, reason: Reason) -> None:
        """Take the end of a server that is watched."""
        place = self._pop(number)
        if place is not None:
            fire(place.watcher, reason)

    def moved(self, number: int, node: Node) -> None:
        """Note that another node keeps a watch from now on."""
        place = self._places.get(number)
        if place is None:
            return
        place.node = node
        if node != self.me and node not in self.up:
            self._lost(number, node)

    def forget(self, watcher: Monitor | Link) -> Far | None:
        """Forget a watch of a process here; returns what other nodes call it."""
        number = self._by_watcher.get(watcher)
        if number is None:
            return None
        self._pop(number)
        return Far(self.me, number)

    def lose(self, node: Node) -> None:
        """Tell the watchers whose watches a node has kept that is gone."""
        self.up.discard(node)
        for number in [number for number, place in self._places.items() if place.node == node]:
            self._lost(number, node)

    def _lost(self, number: int, node: Node) -> None:
        place = self._pop(number)
        if place is not None:
            fire(place.watcher, NOCONNECTION, lost=node)

    def clear(self, reason: Reason) -> None:
        """Tell all watchers: this node's region has ended."""
        for number in list(self._places):
            self.fired(number, reason)
