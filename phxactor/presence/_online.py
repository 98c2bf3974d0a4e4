"""The elements that are online, by topic and key, oldest first."""

from __future__ import annotations

from typing import Final, final

from phxactor.presence._element import Element, Grouped, Meta, together
from phxactor.runtime import unlooked

_LARGE: Final = 100
"""Elements from which on a list is kept until the next change, and the collector does not look while it is made."""


@final
class Topic:
    """The elements of one topic that are online."""

    __slots__ = ("_shared", "count", "keys", "version")

    def __init__(self) -> None:
        self.keys: dict[str, Element | dict[Element, None]] = {}
        """By key: the element, or all of them where there are several."""
        self.count = 0
        """The number of elements."""
        self.version = 0
        """The number of changes so far."""
        self._shared: Grouped | None = None
        """What `shared` has made, if nothing has changed since."""

    def elements(self, key: str) -> list[Element]:
        """Return the elements of a key."""
        held = self.keys.get(key)
        if held is None:
            return []
        return [held] if isinstance(held, Element) else list(held)

    def metas(self, key: str) -> list[Meta]:
        """Return the metas of a key."""
        return [element.meta for element in self.elements(key)]

    def grouped(self) -> Grouped:
        """Return all metas by key; dicts and lists are new ones, the metas are not."""
        if self.count < _LARGE:
            return self._grouped()
        with unlooked():  # the collector would look at the whole program
            return self._grouped()

    def shared(self) -> Grouped:
        """Return the same for a program, which must not change the entries: those of a large topic are made once.

        They are kept until the next change (PR140). The dict around them is a new one.
        """
        if self.count < _LARGE:
            return self._grouped()
        if self._shared is None:
            self._shared = self.grouped()
        return self._shared.copy()

    def _grouped(self) -> Grouped:
        return {
            key: {"metas": [held.meta] if type(held) is Element else [one.meta for one in held]}
            for key, held in self.keys.items()
        }

    def json(self) -> bytes:
        """Return the same as `grouped`, as JSON: each element is encoded once for all states (PR140)."""
        keys = [held.encoded or held.json() if type(held) is Element else together(held) for held in self.keys.values()]
        return b"{" + b",".join(keys) + b"}"

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
        self.version += 1
        self._shared = None

    def remove(self, element: Element) -> None:
        """Remove an element that is there."""
        key = element.key
        held = self.keys[key]
        self.count -= 1
        self.version += 1
        self._shared = None
        if isinstance(held, Element):
            del self.keys[key]
            return
        del held[element]
        if len(held) == 1:
            (self.keys[key],) = held


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
