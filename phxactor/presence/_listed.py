"""The keys of a large topic that clients are shown, where not all are (PR149)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from phxactor.presence._element import Changes, Element, Grouped

if TYPE_CHECKING:
    from phxactor.presence._online import Topic
    from phxactor.runtime import Timer

COUNTS: Final = 1.0
"""Seconds between two counts of one topic at least."""


@final
class Listed:
    """The keys of one topic that are listed: a key stays so until it has gone; then the newest one takes its place."""

    __slots__ = ("_limit", "counted", "keys", "last", "timer")

    def __init__(self, limit: int) -> None:
        """List at most that many keys."""
        self._limit: Final = limit
        self.keys: dict[str, None] = {}
        self.counted: int | None = None
        """The count that clients have got; None while all are listed."""
        self.last = float("-inf")
        """When they got it, in seconds of the runtime's clock."""
        self.timer: Timer | None = None
        """Sends the next one."""

    def take(self, changes: Changes, topic: Topic | None) -> Changes:
        """Return what of some changes of a topic clients are told. `topic` is as it is after them."""
        keys = self.keys
        present: dict[str, Element | dict[Element, None]] = {} if topic is None else topic.keys
        leaves = [element for element in changes.leaves if element.key in keys]
        joins = [element for element in changes.joins if element.key in keys]
        for element in leaves:
            if element.key not in present:
                keys.pop(element.key, None)
        if topic is not None and len(keys) < self._limit:
            new = [element.key for element in changes.joins]
            new += [key for key in reversed(present) if key not in keys][: self._limit - len(keys)]
            for key in new:
                if len(keys) < self._limit and key not in keys and key in present:
                    keys[key] = None
                    joins += topic.elements(key)
        return Changes(joins, leaves)

    def grouped(self, topic: Topic) -> Grouped:
        """Return the metas of those who are listed."""
        return {key: {"metas": topic.metas(key)} for key in self.keys if key in topic.keys}

    def count_of(self, topic: Topic | None) -> int | None:
        """Return the number of keys that clients should know; None if all are listed."""
        count = 0 if topic is None else len(topic.keys)
        return count if count > self._limit else None
