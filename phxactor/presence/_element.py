"""An element: one process that is tracked under one key of one topic. Plain data, as are deltas and changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeAlias, final

import attrs
from orjson import dumps

Meta: TypeAlias = dict[str, Any]
"""What is known of one element: a JSON object. It has `phx_ref`, the element's name for clients."""

Replica: TypeAlias = str
"""The name of one life of one tracker; no other life ever has it."""


_OPEN: Final = b':{"metas":['
_CLOSE: Final = b"]}"


def together(elements: Iterable[Element]) -> bytes:
    """Return the key and the entry of all elements of one key as JSON."""
    metas = b""
    start = 0
    for element in elements:
        one = element.json()
        if metas:
            metas += b"," + one[start : -len(_CLOSE)]
        else:
            metas = one[: -len(_CLOSE)]
            start = len(dumps(element.key)) + len(_OPEN)
    return metas + _CLOSE


@final
class Element:
    """One tracked process under one key of one topic. It never changes: an update makes another element.

    `number` is the number of the event by which its replica tracked it. `owner` is the process on its own replica; on
    others it is None, as nobody sends to it or watches it there (PR122).
    """

    __slots__ = ("encoded", "key", "meta", "number", "owner", "topic")

    def __init__(self, topic: str, key: str, meta: Meta, number: int, owner: object = None) -> None:
        """Store the values."""
        self.topic = topic
        self.key = key
        self.meta = meta
        self.number = number
        self.owner = owner
        self.encoded: bytes | None = None
        """Its key and entry as JSON, as if the key had no other element; None until a state has asked for it."""

    def json(self) -> bytes:
        """Return its key and entry as JSON, `"ann":{"metas":[...]}`, which is made once for all states."""
        if self.encoded is None:
            self.encoded = dumps(self.key) + _OPEN + dumps(self.meta) + _CLOSE
        return self.encoded

    def __repr__(self) -> str:
        """Show all but the owner."""
        return f"<Element {self.number} {self.topic!r} {self.key!r} {self.meta!r:.200}>"


@attrs.frozen
class Delta:
    """What a replica tells of its events after the number `after`, up to `upto`.

    Of its elements with numbers above `after`, exactly those of `joins` are there. Of the others, `leaves` have gone.
    So one with `after` 0 is the replica's whole state, and needs no `leaves`.
    """

    replica: Replica
    after: int
    upto: int
    joins: tuple[Element, ...] = ()
    """In ascending order of their numbers."""
    leaves: tuple[int, ...] = ()
    """Numbers of elements, none above `after`."""


@attrs.define
class Changes:
    """What one step has changed in the list of those who are online: the list after it minus the list before (PR41)."""

    joins: list[Element] = attrs.field(factory=list)
    leaves: list[Element] = attrs.field(factory=list)

    def __bool__(self) -> bool:
        """Say whether anything has changed."""
        return bool(self.joins or self.leaves)


Entry: TypeAlias = dict[str, Any]
"""`{"metas": [meta, ...]}`, oldest first; what `fetch` adds stands beside `metas`."""

Grouped: TypeAlias = dict[str, Entry]
"""The entries of keys, the key that came first ahead."""


def grouped(elements: Iterable[Element]) -> Grouped:
    """Group the metas of elements of one topic by key."""
    found: Grouped = {}
    for element in elements:
        entry = found.get(element.key)
        if entry is None:
            found[element.key] = {"metas": [element.meta]}
        else:
            entry["metas"].append(element.meta)
    return found
