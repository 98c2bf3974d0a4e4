"""Leaves that are held back for a while, so that nobody flickers who comes back, perhaps to another node (PR117)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

from phxactor.presence._element import Element, Grouped, grouped


@final
class Held:
    """The held leaves of one topic, by key: of keys of which nothing else is present."""

    __slots__ = ("_leaves",)

    def __init__(self) -> None:
        self._leaves: dict[str, list[tuple[float, Element]]] = {}

    def __bool__(self) -> bool:
        """Say whether any leave is held."""
        return bool(self._leaves)

    def hold(self, element: Element, until: float) -> None:
        """Hold the leave of an element until a time."""
        self._leaves.setdefault(element.key, []).append((until, element))

    def grouped(self) -> Grouped:
        """Return the metas of the held leaves by key."""
        return grouped(element for leaves in self._leaves.values() for _, element in leaves)

    def release(self, joins: Iterable[Element]) -> list[Element]:
        """Take out the leaves of keys that are here again: they go out with those joins, as in an update."""
        return [leave for join in joins for _, leave in self._leaves.pop(join.key, ())]

    def due(self, now: float) -> list[Element]:
        """Take out the leaves that have waited long enough."""
        found: list[Element] = []
        for key, leaves in list(self._leaves.items()):
            found += [element for until, element in leaves if until <= now]
            leaves[:] = [leave for leave in leaves if leave[0] > now]
            if not leaves:
                del self._leaves[key]
        return found

    def next_due(self) -> float:
        """Return when the next one has waited long enough; there must be one."""
        return min(until for leaves in self._leaves.values() for until, _ in leaves)
