"""Whatever bytes come: a value or DecodeError, in bounded time and memory."""

from __future__ import annotations

import struct
import time
import tracemalloc
from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgpack import ExtType, packb

from phxactor.distribution import DecodeError, decode, encode
from phxactor.distribution._codec_wire import ADDRESS, BIG_INT, DOWN, FROZENSET, MESSAGE, NODE, SET, SHUTDOWN, TUPLE
from tests.distribution.values import values
from tests.distribution.written_pids import WrittenPids

PIDS = WrittenPids()
MODULUS = 2**61 - 1
"""Python's hash of an int is the int modulo this."""


@given(st.binary())
def test_bytes_of_nobody(data: bytes) -> None:
    _read(data)


@given(values(), st.data())
def test_bytes_of_a_value_that_were_changed(value: object, draw: st.DataObject) -> None:
    data = bytearray(encode(value, PIDS))
    at = draw.draw(st.integers(0, len(data)))
    data[at : at + draw.draw(st.integers(0, 3))] = draw.draw(st.binary(max_size=3))
    _read(bytes(data))


def _read(data: bytes) -> None:
    """What is read is data, which travels on."""
    try:
        value = decode(data, PIDS)
    except DecodeError:
        return
    encode(value, PIDS)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "incomplete input"),
        (b"\xc1", "FormatError"),
        (packb("é")[:-1], "incomplete input"),
        (b"\xa2\xed\xa0", "UnicodeDecodeError"),
        (packb(1) + b"\x01", "ExtraData"),
        (packb([1] * 1000) + b"\x01", "1 bytes stand after the value"),
        (b"\x82\x01\x01\x01\x02", "a key comes twice"),
        (b"\x82\x01\x01\xcb" + struct.pack(">d", 1.0) + b"\x02", "a key comes twice"),
        (b"\x81\x90\x01", "an element of a set, is a list, which has no hash"),
        (packb([SET, [1]]), "an element of a set, is a list, which has no hash"),
        (packb([SET, 1, 1]), "an element of a set comes twice"),
        (packb([FROZENSET, [TUPLE, []], 1]), "an element of a set, is a tuple, which has no hash"),
        (packb(TUPLE), "a mark stands where only the first element"),
        (packb([1, TUPLE]), "a mark stands where only the first element"),
        (packb({TUPLE: 1}), "a mark stands where only the first element"),
        (packb([TUPLE, TUPLE]), "a mark stands where only the first element"),
        (packb(ExtType(16, b"\xff")), "an unknown mark, ff"),
        (packb(ExtType(99, b"")), "an unknown extension type, 99"),
        (packb(ExtType(5, b"\x63")), "bytes of no process"),
        (packb(ExtType(2, b"short")), "error: "),
        (packb(ExtType(3, b"\x00\x00\x01\x01")), "year 0 is out of range"),
        (packb(ExtType(4, b"\x00")), "16-char string"),
        (packb(ExtType(BIG_INT, bytes(1025))), "an int has 1024 bytes at most"),
        (packb([SHUTDOWN]), "a Shutdown has 1 parts, and this one 0"),
        (packb([NODE, b"short", "name"]), "the id of a node is 16 bytes"),
        (packb([DOWN, 1, 2, 3]), "a part is an int, not Ref"),
        (packb([MESSAGE, "os.system", {}]), "no message is declared as 'os.system' here"),
        (packb([ADDRESS, "nothing", "a", "b"]), "no address is called 'nothing' here"),
        (packb([ADDRESS, "key", "a"]), "an address has 3 parts, and this one 2"),
        (packb([MESSAGE, ["a"], {}]), "no message is declared as"),
        (packb([MESSAGE, "test.point", []]), "its fields are a list, not a dict"),
    ],
)
def test_what_is_no_value_says_why(data: bytes, text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(data, PIDS)
    assert text in str(caught.value)


def test_a_timestamp_of_messagepack_is_a_datetime() -> None:
    assert decode(b"\xd6\xff\x00\x00\x00\x01", PIDS) == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "data",
    [
        b"\xdd\xff\xff\xff\xff" * 6,
        b"\xdf\xff\xff\xff\xff" * 6,
        b"\xdb\xff\xff\xff\xff" * 6,
        b"\xc9\xff\xff\xff\xff\x01" * 5,
        b"\xdd\x00\x0f\xff\xff" * 200_000,
        b"\xdf\x00\x07\xff\xff\x01" * 170_000,
        b"\xdc\xff\xff" * 300_000,
        b"\x91" * 1_000_000,
    ],
)
def test_what_is_announced_takes_no_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            decode(data, PIDS)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000 + 2 * len(data)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("depth", [251, 513, 600, 1000, 5000])
def test_values_that_lie_too_deep_in_each_other_are_refused(depth: int) -> None:
    for head in (b"\x91", b"\x92" + packb(TUPLE)):
        with pytest.raises(DecodeError):
            decode(head * depth + b"\xc0", PIDS)


def test_a_message_has_a_size_at_most() -> None:
    decode(packb(b"x" * 90), PIDS, 100)
    with pytest.raises(DecodeError, match="at most 100 bytes, and this one 102"):
        decode(packb(b"x" * 100), PIDS, 100)


def test_keys_with_one_hash_take_no_quadratic_time() -> None:
    ints = [number * MODULUS for number in range(8)]
    tuples = [[TUPLE, *key] for key in product(ints[1:], repeat=4)]
    big = [ExtType(BIG_INT, (number * MODULUS).to_bytes(16)) for number in range(20_000)]
    uuids = [ExtType(4, (number * MODULUS).to_bytes(16)) for number in range(20_000)]
    for keys in (tuples, big, uuids):
        began = time.process_time()
        with pytest.raises(DecodeError, match="have the same hash"):
            decode(packb([SET, *keys]), PIDS)
        assert time.process_time() - began < 5, "it takes minutes where each is compared with each"


def test_keys_of_a_grid_are_no_attack() -> None:
    """Python's hash of -1 is that of -2."""
    grid = {(x, y): x for x, y in product(range(-40, 40), repeat=2)}
    assert decode(encode(grid, PIDS), PIDS) == grid
