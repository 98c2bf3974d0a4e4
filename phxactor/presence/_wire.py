"""What trackers of several nodes tell each other: messages of the kind PRESENCE, in JSON. Decoded strictly (PR121).

The envelope's topic is the name of the Presence, its event what the message is:

    delta   {"v": 1, "life": 3, "after": 7, "upto": 9, "joins": [[8, "t", "ann", {...}]], "leaves": [2], "more": false}
    beat    {"v": 1, "life": 3, "upto": 9}
    ask     {"v": 1, "life": 3, "after": 7}         the receiver's own life, null if it is unknown
    bye     {"v": 1, "life": 3}

Numbers are those of events (`_set`); `life` counts the lives of the tracker's tables on one node. A state or a delta
that is too large for one message comes in parts: all but the last say `more`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import attrs
import orjson

from phxactor.presence._element import Delta, Element, Replica

VERSION: Final = 1
PART: Final = 128 * 1024
"""Bytes of joins in one message, about: a larger state must not hold up what comes behind it."""


class WireError(ValueError):
    """A message of another node is none; it is dropped."""


@attrs.frozen
class Said:
    """A decoded message of another tracker."""

    event: str
    life: int | None
    """The life of the sender; in an `ask`, that of the receiver as the sender knows it, or None."""
    after: int = 0
    upto: int = 0
    joins: tuple[Element, ...] = ()
    leaves: tuple[int, ...] = ()
    more: bool = False

    def delta(self, replica: Replica) -> Delta:
        """Return it as the delta of a replica."""
        return Delta(replica, self.after, self.upto, self.joins, self.leaves)


def beat(life: int, upto: int) -> bytes:
    """Encode a beat."""
    return orjson.dumps({"v": VERSION, "life": life, "upto": upto})


def ask(life: int | None, after: int) -> bytes:
    """Encode a question for the events after a number."""
    return orjson.dumps({"v": VERSION, "life": life, "after": after})


def bye(life: int) -> bytes:
    """Encode a goodbye."""
    return orjson.dumps({"v": VERSION, "life": life})


def deltas(life: int, delta: Delta) -> Iterator[bytes]:
    """Encode a delta, in parts if it is large: each part goes up to the number of its last element."""
    after, leaves = delta.after, delta.leaves
    part: list[orjson.Fragment] = []
    size = last = 0
    for element in delta.joins:
        encoded = orjson.dumps([element.number, element.topic, element.key, element.meta])
        if part and size + len(encoded) > PART:
            yield _delta(life, after, last, part, leaves, more=True)
            after, leaves, part, size = last, (), [], 0
        part.append(orjson.Fragment(encoded))
        size += len(encoded)
        last = element.number
    yield _delta(life, after, delta.upto, part, leaves, more=False)


def _delta(
    life: int, after: int, upto: int, joins: list[orjson.Fragment], leaves: tuple[int, ...], *, more: bool
) -> bytes:
    return orjson.dumps(
        {"v": VERSION, "life": life, "after": after, "upto": upto, "joins": joins, "leaves": leaves, "more": more}
    )


def decode(event: str, payload: bytes) -> Said:
    """Decode a message. Raises WireError for whatever is none."""
    try:
        fields = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise WireError(f"not JSON: {error}") from None
    match event, fields:
        case "delta", {
            "v": 1,
            "life": int(life),
            "after": int(after),
            "upto": int(upto),
            "joins": list(joins),
            "leaves": list(leaves),
            "more": bool(more),
        } if 0 <= after <= upto and all(type(one) is int and 0 < one <= after for one in leaves):
            return Said(event, life, after, upto, tuple(_elements(joins, after, upto)), tuple(leaves), more)
        case "beat", {"v": 1, "life": int(life), "upto": int(upto)} if upto >= 0:
            return Said(event, life, upto=upto)
        case "ask", {"v": 1, "life": int() | None as life, "after": int(after)} if after >= 0:
            return Said(event, life, after)
        case "bye", {"v": 1, "life": int(life)}:
            return Said(event, life)
    raise WireError(f"no {event!r:.40} of version {VERSION}: {payload[:200]!r}")


def _elements(joins: list[Any], after: int, upto: int) -> Iterator[Element]:
    last = after
    for join in joins:
        match join:
            case [int(number), str(topic), str(key), {"phx_ref": str()} as meta] if last < number <= upto:
                yield Element(topic, key, meta, number)
                last = number
            case _:
                raise WireError(f"no element after {last}: {join!r:.200}")
