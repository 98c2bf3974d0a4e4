"""What waits for a key, or for a view: bounded, and in the order of each sender."""

from __future__ import annotations

import attrs

from phxactor.sharded._ops import Op


@attrs.define
class _Place:
    old: list[tuple[str, Op]] = attrs.field(factory=list)
    """What was sent by an older view: it goes first (NO26)."""
    new: list[tuple[str, Op]] = attrs.field(factory=list)


class Waiting:
    """What waits in one region."""

    def __init__(self, most: int) -> None:
        """Start empty; at most so much waits."""
        self.most = most
        self.count = 0
        """What waits: here, and for the end of servers (`Region.wait_for_end`)."""
        self._places: dict[str | None, _Place] = {}

    def add(self, place: str | None, key: str, op: Op, *, is_old: bool) -> bool:
        """Let something wait for a key, or for a view (None). Returns whether it may."""
        if self.count >= self.most:
            return False
        self.count += 1
        found = self._places.setdefault(place, _Place())
        (found.old if is_old else found.new).append((key, op))
        return True

    def places(self) -> list[str]:
        """List the keys for which something waits."""
        return [place for place in self._places if place is not None]

    def take(self, key: str) -> list[Op]:
        """Take out all that waits for a key, in order."""
        found = self._places.pop(key, None)
        if found is None:
            return []
        self.count -= len(found.old) + len(found.new)
        return [op for _, op in (*found.old, *found.new)]

    def unwatch(self, key: str, op: Op) -> None:
        """Take out who watches, of what waits for a key; a request stays."""
        found = self._places.get(key)
        if found is None:
            return
        for ops in (found.old, found.new):
            for at, (_, one) in enumerate(ops):
                if one.watcher == op.watcher:
                    ops[at] = key, attrs.evolve(one, watcher=None)

    def clear(self) -> list[tuple[str, Op]]:
        """Take out all that waits."""
        places, self._places = self._places, {}
        pairs = [pair for place in places.values() for pair in (*place.old, *place.new)]
        self.count -= len(pairs)
        return pairs
