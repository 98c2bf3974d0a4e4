"""What must have come before a node starts keys that are new to it in a view: pure.

    every member, at the new view     FLUSHED to every other: all that it sent by older views has gone before;
                                      with the keys that it runs, and will hand over to that one
    a member that has all FLUSHED     has had all that was sent to it by older views, and has sent on what was not
                                      its own. ENDED to every other
    a member that has all ENDED       has had all that was sent on to it: it may start keys, but those that others hand
                                      over to it, each when its state has come (NO22, NO26)

Marks of a view that this node has not reached yet are kept; those of older views are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable

from phxactor.cluster import Node


class Barrier:
    """The marks of one node."""

    def __init__(self) -> None:
        """Start without a view, which is open for nothing."""
        self.number = 0
        self.expected: set[str] = set()
        """Keys whose state will come."""
        self._others: frozenset[Node] = frozenset()
        self._flushed: dict[int, set[Node]] = {}
        self._ended: dict[int, set[Node]] = {}
        self._moving: dict[int, dict[Node, set[str]]] = {}
        self._has_ended = True

    def enter(self, number: int, others: Iterable[Node]) -> None:
        """Enter a view with these other members."""
        self.number = number
        self._others = frozenset(others)
        self._has_ended = False
        for marks in (self._flushed, self._ended, self._moving):
            for old in [one for one in marks if one < number]:
                del marks[old]
        self.expected = set().union(*self._moving.get(number, {}).values())

    def flushed(self, node: Node, number: int, moving: Iterable[str], *, is_last: bool) -> None:
        """Take a part of FLUSHED of a member."""
        if number < self.number:
            return
        self._moving.setdefault(number, {}).setdefault(node, set()).update(moving)
        if number == self.number:
            self.expected.update(moving)
        if is_last:
            self._flushed.setdefault(number, set()).add(node)

    def ended(self, node: Node, number: int) -> None:
        """Take ENDED of a member."""
        if number >= self.number:
            self._ended.setdefault(number, set()).add(node)

    def ends(self) -> bool:
        """Say, once in each view, that it is time for this node's own ENDED."""
        if self._has_ended or not self._flushed.get(self.number, set()) >= self._others:
            return False
        self._has_ended = True
        return True

    @property
    def is_open(self) -> bool:
        """Whether this node may start keys."""
        return self._has_ended and self._ended.get(self.number, set()) >= self._others
