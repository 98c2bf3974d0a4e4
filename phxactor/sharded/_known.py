"""Which keys other nodes run, of servers that are eager: so that those of a lost node start elsewhere at once."""

from __future__ import annotations

from collections.abc import Iterable

from phxactor.cluster import Node


class Known:
    """The keys that others run, as they say."""

    def __init__(self) -> None:
        """Start without any."""
        self._keys: dict[Node, dict[str, None]] = {}
        self._lost: dict[str, None] = {}

    def note(self, node: Node, keys: Iterable[object], *, is_added: bool) -> None:
        """Note that a node has started keys, or that they have ended there."""
        known = self._keys.setdefault(node, {})
        for key in keys:
            if not isinstance(key, str):
                continue
            if is_added:
                known[key] = None
            else:
                known.pop(key, None)

    def lose(self, node: Node, *, has_left: bool) -> None:
        """Note that a node is gone; one that has left has handed its keys over."""
        known = self._keys.pop(node, {})
        if not has_left:
            self._lost.update(known)

    def take_lost(self) -> list[str]:
        """Take out the keys of nodes that are gone."""
        lost, self._lost = self._lost, {}
        return list(lost)
