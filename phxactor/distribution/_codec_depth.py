"""How deep values lie in each other: too deep, and `repr` or `==` of what has arrived would fail."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, cast

import attrs

MAX_DEPTH: Final = 250
"""Values that lie in each other, at most. MessagePack may write each as two arrays, and it takes 511."""
_NO_HEAD: Final = bytes({*range(256)} - {*range(0x80, 0xA0), *range(0xDC, 0xE0)})
"""The bytes that do not begin an array or a map in MessagePack."""


def is_too_deep(value: object, data: bytes) -> bool:
    """Say whether a value, whose bytes these are, has more than `MAX_DEPTH` levels.

    The value is only looked at if so many of its bytes could begin an array or a map.
    """
    if len(data) <= MAX_DEPTH or len(data.translate(None, _NO_HEAD)) <= MAX_DEPTH:
        return False
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [part for one in level for part in _parts(one)]
        if not level:
            return False
    return True


def _parts(value: Any) -> Iterable[Any]:  # noqa: ANN401 - any value
    kind = type(value)
    if kind in {str, int, bytes, float, bool}:
        return ()
    if kind in {list, tuple, set, frozenset}:
        return cast("Iterable[Any]", value)
    if kind is dict:
        return [*value, *value.values()]
    return [getattr(value, one.name, None) for one in attrs.fields(kind)] if attrs.has(kind) else ()
