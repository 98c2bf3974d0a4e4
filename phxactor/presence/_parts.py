"""A large state in parts: a state with the keys that came first, then diffs in which the others join (PR148)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import orjson

from phxactor.presence._element import Entry, Grouped

_AROUND: Final = len('{"joins":{},"leaves":{}}')


def parts_of(presences: Grouped, limit: int) -> list[bytes]:
    """Return the JSON of a state, and of the diffs that follow it, each at most `limit` bytes long.

    Only a part with a single meta may be longer. A key whose metas do not fit into one part is in several: clients put
    them together, the oldest first.
    """
    found: list[bytes] = []
    keys: list[bytes] = []
    length = _AROUND
    for key, entry in presences.items():
        for piece in _pieces(orjson.dumps(key), entry, limit - _AROUND):
            if keys and length + len(piece) + 1 > limit:
                found.append(_part(keys, first=not found))
                keys, length = [], _AROUND
            keys.append(piece)
            length += len(piece) + 1
    found.append(_part(keys, first=not found))
    return found


def with_own(parts: list[bytes], own: Grouped) -> list[bytes]:
    """Add to a state those of the client that it does not list: to its only part, or as one more part."""
    keys = [orjson.dumps(key) + b":" + orjson.dumps(entry) for key, entry in own.items()]
    if len(parts) > 1:
        return [*parts, _part(keys, first=False)]
    state = parts[0][1:-1]
    return [_part([state, *keys] if state else keys, first=True)]


def _pieces(key: bytes, entry: Entry, limit: int) -> Iterator[bytes]:
    """Return the entry of one key as JSON, in as many pieces as it takes, with some of the metas each."""
    piece = key + b":" + orjson.dumps(entry)
    metas = entry["metas"]
    if len(piece) <= limit or len(metas) < 2:  # noqa: PLR2004 - a single meta is not divided
        yield piece
        return
    half = len(metas) // 2
    for some in (metas[:half], metas[half:]):
        yield from _pieces(key, {**entry, "metas": some}, limit)


def _part(keys: list[bytes], *, first: bool) -> bytes:
    members = b"{" + b",".join(keys) + b"}"
    return members if first else b'{"joins":' + members + b',"leaves":{}}'
