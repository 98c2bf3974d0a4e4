"""The elements that are online, by topic and key, with the lists that are made of them."""

from __future__ import annotations

from typing import Final, final

from phxactor.presence._element import Element, Grouped, Meta


@final
class Topic:
    """The elements of one topic that are online, oldest first."""

    __slots__ = ("_grouped", "_stale", "count", "keys")

    def __init__(self) -> None:
        self.keys: dict[str, Element | dict[Element, None]] = {}
        """By key: the element, or all of them where there are several."""
        self.count = 0
        """The number of elements."""
        self._grouped: Grouped | None = None
        """The list as it was last read; keys that have changed since are in `_stale`."""
        self._stale: dict[str, None] = {}

    def elements(self, key: str) -> list[Element]:
        """Return the elements of a key, oldest first."""
        held = self.keys.get(key)
        if held is None:
            return []
        return [held] if isinstance(held, Element) else list(held)

    def metas(self, key: str) -> list[Meta]:
        """Return the metas of a key, oldest first."""
        return [element.meta for element in self.elements(key)]

    def grouped(self) -> Grouped:
        """Return all metas by key. It is kept until the next change: nobody may change it."""
        known = self._grouped
        if known is None:
            known = self._grouped = {key: {"metas": self.metas(key)} for key in self.keys}
        else:
            for key in self._stale:
                known[key] = {"metas": self.metas(key)}
        self._stale.clear()
        return known

    def add(self, element: Element) -> None:
        """Add an element."""
        key = element.key
        held = self.keys.get(key)
        if held is None:
            self.keys[key] = element
        elif isinstance(held, Element):
            self.keys[key] = {held: None, element: None}
        else:
            held[element] = None
        self.count += 1
        if self._grouped is not None:
            self._stale[key] = None

    def remove(self, element: Element) -> None:
        """Remove an element that is there."""
        key = element.key
        held = self.keys[key]
        self.count -= 1
        if not isinstance(held, Element):
            del held[element]
            if held:
                if len(held) == 1:
                    (self.keys[key],) = held
                if self._grouped is not None:
                    self._stale[key] = None
                return
        del self.keys[key]
        if self._grouped is not None:
            self._grouped.pop(key, None)
            self._stale.pop(key, None)


@final
class Online:
    """The topics with elements that are online."""

    __slots__ = ("topics",)

    def __init__(self) -> None:
        self.topics: Final[dict[str, Topic]] = {}

    def add(self, element: Element) -> None:
        """Add an element; the first one makes its topic."""
        topic = self.topics.get(element.topic)
        if topic is None:
            topic = self.topics[element.topic] = Topic()
        topic.add(element)

    def remove(self, element: Element) -> None:
        """Remove an element that is there; the topic goes with its last one."""
        topic = self.topics[element.topic]
        topic.remove(element)
        if not topic.count:
            del self.topics[element.topic]
