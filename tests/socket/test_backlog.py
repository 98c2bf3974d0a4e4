"""What messages weigh: never more than was said, whatever is in them."""

from __future__ import annotations

import sys
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.socket import SMALL
from phxactor.socket._backlog import DENSE, OVERHEAD, SMALL_WEIGHT, containers, weigh

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=4), inner, max_size=6),
    max_leaves=40,
)
UNITS = [
    "{}",
    "[]",
    '{"":0}',
    '{"":{"":{"":0}}}',
    '{"":{"":{"":{"":{"":{"":{"":{"":{}}}}}}}}}',
    "[[[[[[]]]]]]",
    "[0]",
    "1.5",
    "300",
    '"ab"',
    '"ā"',
    '"😀"',
    '"\\u0101"',
    '"\\ud83d\\ude00"',
    '{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0}',
    '{"0000":-1000}',
    '{"aaaaaaaaaaaaaaaa":"abcdefghabcdefgh"}',
    '"' + "a" * 300 + '"',
    '"' + "a" * 300 + '😀"',
    '"' + "a" * 300 + '\\ud83d\\ude00"',
]


def size(value: Any) -> int:  # noqa: ANN401
    """Count what a decoded text takes, as the allocator rounds it; what all have in common counts nothing."""
    own = -(-sys.getsizeof(value) // 16) * 16
    match value:
        case None | bool():
            return 0
        case int():
            return 0 if -5 <= value <= 256 else own
        case str():
            return 0 if len(value) < 2 and value.isascii() else own
        case list():
            return own + sum(map(size, value))
        case dict():
            return own + sum(size(key) + size(one) for key, one in value.items())
        case _:
            return own


def weighs_enough(text: bytes) -> None:
    taken = size(orjson.loads(text))
    assert taken <= weigh(text) <= DENSE * len(text) + OVERHEAD
    assert taken <= SMALL_WEIGHT or len(text) > SMALL


@pytest.mark.parametrize("length", [100, SMALL, 1000, 10_000, 100_000])
@pytest.mark.parametrize("unit", UNITS)
def test_nothing_takes_more_than_it_is_said_to(unit: str, length: int) -> None:
    one = unit.encode() + b","
    weighs_enough(b"[" + one * (length // len(one)) + b"0]")


@pytest.mark.parametrize("entries", [1, 5, 6, 11, 22, 43, 86, 171, 1000, 5000, 50_000])
def test_nor_do_objects_with_many_entries(entries: int) -> None:
    weighs_enough(orjson.dumps({f"{number:x}": number for number in range(entries)}))


@given(JSON, st.integers(1, 200))
def test_nor_does_anything_else(value: Any, times: int) -> None:  # noqa: ANN401
    weighs_enough(orjson.dumps([value] * times))


def test_a_text_alone_weighs_little_more_than_it_is_long() -> None:
    text = orjson.dumps(["1", "2", "room:1", "image", "x" * 1_000_000])
    assert weigh(text) < 1.01 * len(text)


BRACKETS = st.recursive(
    st.none() | st.text('{}[]",\\\\a', max_size=8),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text('{["\\\\', max_size=4), inner, max_size=6),
    max_leaves=40,
)


def parts(value: Any) -> int:  # noqa: ANN401
    """Count the arrays and objects of a value."""
    match value:
        case list():
            return 1 + sum(map(parts, value))
        case dict():
            return 1 + sum(map(parts, value.values()))
        case _:
            return 0


@given(BRACKETS, st.integers(0, 20))
def test_arrays_and_objects_are_counted_and_brackets_in_strings_are_not(value: Any, most: int) -> None:  # noqa: ANN401
    counted = containers(orjson.dumps(value), most)
    assert counted == parts(value) or parts(value) < counted <= most
