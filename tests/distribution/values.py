"""Values that travel, drawn by Hypothesis, and messages that are declared for the tests."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeAlias

import attrs
from hypothesis import strategies as st

from phxactor import Error, Ok, Shutdown
from phxactor.distribution import message

Value: TypeAlias = Any
"""Whatever the codec takes."""


@message("test.point")
@attrs.frozen
class Point:
    x: int
    y: int = 0


@message("test.order")
@attrs.frozen
class Order:
    item: str
    points: list[Point] = attrs.field(factory=list)
    note: str | None = attrs.field(default=None, kw_only=True)
    extra: object = None


OFFSETS = st.timedeltas(min_value=timedelta(hours=-23, minutes=-59), max_value=timedelta(hours=23, minutes=59))
INTS = st.one_of(st.integers(), st.integers(-(2**70), 2**70), st.integers(-(2**8000), 2**8000))
POINTS = st.builds(Point, st.integers(), st.integers())
KEYS = st.recursive(
    st.one_of(st.booleans(), INTS, st.text(), st.binary(), st.uuids(), st.dates(), st.none(), POINTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3).map(tuple), st.frozensets(inner, max_size=3)),
    max_leaves=4,
)
LEAVES = st.one_of(
    KEYS,
    st.floats(allow_nan=False),
    st.datetimes(),
    st.datetimes(timezones=st.one_of(st.just(UTC), st.builds(timezone, OFFSETS))),
)


def _larger(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    return st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(KEYS, inner, max_size=5),
        st.sets(KEYS, max_size=5),
        inner.map(Shutdown),
        st.builds(Ok, inner, info=inner),
        st.builds(Error, inner),
        st.builds(Order, st.text(), st.lists(POINTS, max_size=2), note=st.none() | st.text(), extra=inner),
    )


def values() -> st.SearchStrategy[Value]:
    """Draw values that travel and are equal to what arrives."""
    return st.recursive(LEAVES, _larger, max_leaves=15)


def same(one: Value, other: Value) -> bool:
    """Say whether two values are equal in their types too, and dicts in their order."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same([*one.items()], [*other.items()])
    if isinstance(one, datetime):
        return (one, one.utcoffset(), one.fold) == (other, other.utcoffset(), other.fold)
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    if attrs.has(type(one)):
        return same([*attrs.asdict(one, recurse=False).values()], [*attrs.asdict(other, recurse=False).values()])
    return bool(one == other)
