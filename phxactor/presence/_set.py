"""The set: which elements one tracker knows, of its own replica and of others. A value: no clock, no I/O, no trio.

Each replica numbers its own events: a join takes a number, and a leave takes another. A replica tells others of its own
events only, as a `Delta`: those after one number, up to another. So what is known of a replica is its elements as of
one number, the last that was taken in (`seen`); a later number wins over an earlier one, and the order, the doubles and
the losses of messages do not matter (PR81):

    upto <= seen    old: ignored
    after <= seen   taken
    after > seen    a gap: refused, and the tracker asks that replica for what it lacks

Nothing is kept of what has left but one number for each replica (PR68), and a bounded list of one's own last leaves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import takewhile
from typing import Final, final

from phxactor.presence._element import Changes, Delta, Element, Meta, Replica
from phxactor.presence._online import Online

REMEMBERED: Final = 1024
"""Own leaves that are remembered: whoever lacks an older one gets the whole state."""


@final
class _Other:
    """What is known of another replica: its elements by number, as of its event `seen`."""

    __slots__ = ("elements", "seen", "up")

    def __init__(self) -> None:
        self.up = True
        self.seen = 0
        self.elements: dict[int, Element] = {}


@final
class PresenceSet:
    """The elements of one's own replica and of others; those of replicas that are up are `online`."""

    __slots__ = ("_elements", "_leaves", "_leaves_after", "_others", "_owners", "number", "online", "replica")

    def __init__(self, replica: Replica) -> None:
        """Start empty, knowing nobody else."""
        self.replica: Final = replica
        self.online: Final = Online()
        self.number = 0
        """The number of the last event of one's own replica."""
        self._elements: dict[int, Element] = {}
        self._owners: dict[object, Element | dict[tuple[str, str], Element]] = {}
        """One's own elements by owner: the element, or by topic and key where there are several."""
        self._leaves: deque[tuple[int, int]] = deque()
        """The last leaves: the number of the event, and that of the element."""
        self._leaves_after = 0
        """All leaves after the event with this number are in `_leaves`."""
        self._others: dict[Replica, _Other] = {}

    def __len__(self) -> int:
        """Count the elements of one's own replica."""
        return len(self._elements)

    # ------------------------------------------------------------------------------------------ own elements

    def find(self, owner: object, topic: str, key: str) -> Element | None:
        """Return the element that an owner has under a key of a topic."""
        held = self._owners.get(owner)
        if held is None:
            return None
        if type(held) is Element:
            return held if held.key == key and held.topic == topic else None
        return held.get((topic, key))

    def of(self, owner: object) -> list[Element]:
        """Return all elements of an owner, oldest first."""
        held = self._owners.get(owner)
        if held is None:
            return []
        return [held] if isinstance(held, Element) else list(held.values())

    def owners(self) -> Iterator[object]:
        """Iterate over those who have elements."""
        return iter(self._owners)

    def join(self, owner: object, topic: str, key: str, meta: Meta) -> Element:
        """Add an element; the caller makes sure that the owner has none under this key of the topic (PR64)."""
        self.number = number = self.number + 1
        element = self._elements[number] = Element(topic, key, meta, number, owner)
        held = self._owners.get(owner)
        if held is None:
            self._owners[owner] = element
        elif isinstance(held, Element):
            self._owners[owner] = {(held.topic, held.key): held, (topic, key): element}
        else:
            held[topic, key] = element
        self.online.add(element)
        return element

    def replace(self, old: Element, meta: Meta) -> Element:
        """Give one of one's own elements another meta: a join and a leave, and its key stays there all the while."""
        owner, topic, key = old.owner, old.topic, old.key
        self.number = number = self.number + 1
        element = self._elements[number] = Element(topic, key, meta, number, owner)
        held = self._owners[owner]
        if isinstance(held, Element):
            self._owners[owner] = element
        else:
            held[topic, key] = element
        self.online.add(element)
        self._gone(old)
        return element

    def leave(self, element: Element) -> None:
        """Remove one of one's own elements; this takes a number too, so that others see that something has changed."""
        owner = element.owner
        held = self._owners[owner]
        if isinstance(held, Element):
            del self._owners[owner]
        else:
            del held[element.topic, element.key]
            if not held:
                del self._owners[owner]
        self._gone(element)

    def drop(self, owner: object) -> list[Element]:
        """Remove all elements of an owner, and return them."""
        gone = self.of(owner)
        if gone:
            del self._owners[owner]
            for element in gone:
                self._gone(element)
        return gone

    def _gone(self, element: Element) -> None:
        self.number += 1
        del self._elements[element.number]
        self.online.remove(element)
        self._leaves.append((self.number, element.number))
        if len(self._leaves) > REMEMBERED:
            self._leaves_after = self._leaves.popleft()[0]

    # ----------------------------------------------------------------------------------------------- messages

    def since(self, after: int) -> Delta:
        """Return one's own events after a number, or the whole state if that is too long ago."""
        if after < self._leaves_after or after > self.number:
            after = 0
        joins = tuple(_beyond(self._elements, after))[::-1]
        if not after:
            return Delta(self.replica, 0, self.number, joins)
        recent = takewhile(lambda leave: leave[0] > after, reversed(self._leaves))
        gone = {number for _, number in recent if number <= after}
        while after in gone:  # whoever missed that join needs nothing of it any more
            gone.remove(after)
            after -= 1
        return Delta(self.replica, after, self.number, joins, tuple(sorted(gone)))

    def state_of(self, replica: Replica) -> Delta | None:
        """Return the whole state of a replica, as far as it is known here; None for one that is unknown."""
        if replica == self.replica:
            return self.since(0)
        other = self._others.get(replica)
        if other is None:
            return None
        return Delta(replica, 0, other.seen, tuple(other.elements.values()))

    def seen(self) -> dict[Replica, int]:
        """Return the number of the last event that is known of each replica, one's own included."""
        return {self.replica: self.number} | {replica: other.seen for replica, other in self._others.items()}

    def seen_of(self, replica: Replica) -> int:
        """Return the number of the last event that is known of another replica; 0 if it is unknown."""
        other = self._others.get(replica)
        return 0 if other is None else other.seen

    def merge(self, delta: Delta) -> Changes | None:
        """Take in what another replica has said of itself, at first or at second hand.

        Returns what has changed online; None if there is a gap, and nothing was taken. What concerns one's own replica
        (PR72), or one that is unknown (PR82), is ignored.
        """
        changes = Changes()
        other = self._others.get(delta.replica)
        if other is None or delta.upto <= other.seen:
            return changes
        if delta.after > other.seen:
            return None
        there = other.elements
        kept = {element.number for element in delta.joins}
        gone = [element for element in _beyond(there, delta.after) if element.number not in kept]
        gone.reverse()
        gone.extend(there[number] for number in delta.leaves if number in there)
        come = [element for element in delta.joins if element.number not in there]
        for element in gone:
            del there[element.number]
        for element in come:
            there[element.number] = element
        other.seen = delta.upto
        if other.up:
            self._show(come, gone)
            changes.joins, changes.leaves = come, gone
        return changes

    # ----------------------------------------------------------------------------------------------- replicas

    def others(self) -> dict[Replica, bool]:
        """Return the other replicas that are known, each with whether it is up."""
        return {replica: other.up for replica, other in self._others.items()}

    def up(self, replica: Replica) -> Changes:
        """Show the elements of a replica; one that was unknown is known from now on, without elements (PR83)."""
        changes = Changes()
        other = self._others.get(replica)
        if other is None:
            if replica != self.replica:
                self._others[replica] = _Other()
        elif not other.up:
            other.up = True
            changes.joins = list(other.elements.values())
            self._show(changes.joins, [])
        return changes

    def down(self, replica: Replica) -> Changes:
        """Hide the elements of a replica, and keep them; what it says is taken in as before (PR84)."""
        changes = Changes()
        other = self._others.get(replica)
        if other is not None and other.up:
            other.up = False
            changes.leaves = list(other.elements.values())
            self._show([], changes.leaves)
        return changes

    def permdown(self, replica: Replica) -> Changes:
        """Forget a replica and all that was known of it (PR85)."""
        changes = self.down(replica)
        self._others.pop(replica, None)
        return changes

    def _show(self, come: list[Element], gone: list[Element]) -> None:
        """Show and hide elements: first those that come, so that no key vanishes in between (PR128)."""
        for element in come:
            self.online.add(element)
        for element in gone:
            self.online.remove(element)


def _beyond(elements: dict[int, Element], after: int) -> Iterator[Element]:
    """Iterate over the elements with numbers above one, the newest first. They are stored in ascending order."""
    return takewhile(lambda element: element.number > after, reversed(elements.values()))
