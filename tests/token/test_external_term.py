from __future__ import annotations

import enum
import tracemalloc

import pytest

from phxactor.token.external_term import MAX_DEPTH, MAX_SIZE, Atom, Term, TermError, decode, encode

BOTH_WAYS: list[tuple[Term, bytes]] = [
    (0, b"a\0"),
    (255, b"a\xff"),
    (256, b"b\0\0\1\0"),
    (-1, b"b\xff\xff\xff\xff"),
    (-(1 << 31), b"b\x80\0\0\0"),
    (-(1 << 31) - 1, b"n\4\1\1\0\0\x80"),
    ((1 << 2040) - 1, b"n\xff\0" + b"\xff" * 255),
    (1 << 2040, b"o\0\0\1\0\0" + b"\0" * 255 + b"\1"),
    (-(1 << 2040), b"o\0\0\1\0\1" + b"\0" * 255 + b"\1"),
    (-0.25, b"F\xbf\xd0" + b"\0" * 6),
    ("é", b"m\0\0\0\2\xc3\xa9"),
    (b"\xff", b"m\0\0\0\1\xff"),
    (True, b"d\0\4true"),
    (None, b"d\0\3nil"),
    (Atom(""), b"d\0\0"),
    (Atom("é"), b"d\0\1\xe9"),
    (Atom("ž"), b"w\2\xc5\xbe"),
    (Atom("ž" * 127), b"w\xfe" + b"\xc5\xbe" * 127),
    (Atom("ž" * 255), b"v\1\xfe" + b"\xc5\xbe" * 255),
    ((), b"h\0"),
    (("a", (1,)), b"h\2m\0\0\0\1ah\1a\1"),
    ((0,) * 255, b"h\xff" + b"a\0" * 255),
    ((0,) * 256, b"i\0\0\1\0" + b"a\0" * 256),
    ([], b"j"),
    ([0, 255], b"k\0\2\0\xff"),
    ([256], b"l\0\0\0\1b\0\0\1\0j"),
    ([True], b"l\0\0\0\1d\0\4truej"),
    ([1] * 0xFFFF, b"k\xff\xff" + b"\1" * 0xFFFF),
    ([1] * 0x10000, b"l\0\1\0\0" + b"a\1" * 0x10000 + b"j"),
    ({}, b"t\0\0\0\0"),
    ({"b": [], "a": 1}, b"t\0\0\0\2m\0\0\0\1aa\1m\0\0\0\1bj"),
]


@pytest.mark.parametrize(("term", "data"), BOTH_WAYS, ids=lambda value: repr(value)[:20])
def test_what_otp_25_writes_is_written_and_read(term: Term, data: bytes) -> None:
    assert encode(term) == b"\x83" + data
    read = decode(b"\x83" + data)
    assert read == term
    assert type(read) is type(term)


READ: list[tuple[bytes, Term]] = [
    (b"w\4true", True),
    (b"s\5false", False),
    (b"v\0\3nil", None),
    (b"w\2ok", Atom("ok")),  # OTP 26
    (b"s\1\xe9", Atom("é")),
    (b"n\1\0\5", 5),
    (b"n\0\0", 0),
    (b"o\0\0\0\1\1\5", -5),
    (b"l\0\0\0\1a\1j", [1]),
    (b"l\0\0\0\0j", []),
    (b"i\0\0\0\1a\1", (1,)),
    (b"t\0\0\0\2m\0\0\0\1bjm\0\0\0\1aj", {"a": [], "b": []}),
]


@pytest.mark.parametrize(("data", "term"), READ)
def test_what_others_may_write_is_read(data: bytes, term: Term) -> None:
    read = decode(b"\x83" + data)
    assert read == term
    assert type(read) is type(term)


def test_the_keys_of_a_map_stand_in_the_order_of_terms() -> None:
    in_order: list[Term] = [
        -1,
        2,
        1 << 70,
        -5.5,
        1.5,
        Atom("a"),
        Atom("b"),
        False,
        None,
        True,
        Atom("ž"),
        (),
        (9,),
        (1, 1),
        (1, 1.0 + 0.5),
        (1, Atom("a")),
        (2, 0),
        "",
        "a",
        "aa",
        b"a\xff",
        "b",
        b"\xff",
    ]
    written = encode(dict.fromkeys(reversed(in_order), 0))
    assert list(decode(written)) == in_order  # type: ignore[arg-type] # a dict keeps the order in which it was read
    assert written == encode(dict.fromkeys(in_order, 0))


def test_subclasses_are_written_as_what_they_are() -> None:
    class Level(enum.IntEnum):
        LOW = 1

    assert encode([Level.LOW]) == encode([1])
    assert encode(Level.LOW) == encode(1)


REFUSED_TO_WRITE: list[tuple[object, str]] = [
    (object(), "object has no external term"),
    ({1}, "set has no external term"),
    (bytearray(b"a"), "bytearray has no"),
    ([1j], "complex has no"),
    (float("nan"), "no float nan"),
    ((float("-inf"),), "no float -inf"),
    ("\ud800", "surrogate"),
    ({"\ud800": 1}, "surrogate"),
    ({"a": 1, b"a": 2}, "one key in Erlang"),
    ({frozenset((1,)): 1}, "frozenset has no"),
]


@pytest.mark.parametrize(("term", "message"), REFUSED_TO_WRITE, ids=lambda value: repr(value)[:20])
def test_what_is_no_term_is_not_written(term: object, message: str) -> None:
    with pytest.raises(TermError, match=message):
        encode(term)


def test_size_is_bounded() -> None:
    assert len(encode("a" * (MAX_SIZE - 6))) == MAX_SIZE
    for term in ("a" * (MAX_SIZE - 5), 1 << (8 * MAX_SIZE), ["", 1] * MAX_SIZE, ("",) * MAX_SIZE):
        with pytest.raises(TermError, match="larger"):
            encode(term)


def test_a_list_that_holds_itself_is_not_written() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(TermError, match="deeper"):
        encode(loop)


def test_a_list_that_is_held_twice_on_each_level_is_not_written() -> None:
    term: list[object] = []
    for _ in range(60):
        term = [term, term]
    with pytest.raises(TermError, match="larger"):
        encode(term)


REFUSED_TO_READ: list[tuple[bytes, str]] = [
    (b"", "begins with the byte 131"),
    (b"\x82a\1", "begins with the byte 131"),
    (b"\x83", "1 bytes are announced, 0 are there, at byte 1"),
    (b"\x83a", "1 bytes are announced, 0 are there, at byte 2"),
    (b"\x83a\1a", "1 bytes stand after"),
    (b"\x83\x00", "the unknown tag 0 is not read, at byte 1"),
    (b"\x83P\0\0\0\1x\x9ccb\4\0\0\2\0\1", "a compressed term"),
    (b"\x83q", "a function"),
    (b"\x83p\0\0\0\0", "a function"),
    (b"\x83g", "a pid"),
    (b"\x83X", "a pid"),
    (b"\x83Z", "a reference"),
    (b"\x83h\1f", "a port is not read, at byte 3"),
    (b"\x83M\0\0\0\1\7\xfe", "a bit string"),
    (b"\x83F\x7f\xf0\0\0\0\0\0\0", "no float inf"),
    (b"\x83F\x7f\xf8\0\0\0\0\0\0", "no float nan"),
    (b"\x83n\1\2\1", "the sign of an integer is 0 or 1, not 2"),
    (b"\x83l\0\0\0\1a\1a\2", "does not end with an empty list"),
    (b"\x83l\0\0\0\1a\1", "1 bytes are announced"),
    (b"\x83t\0\0\0\1ja\1", "in a key, at byte 6"),
    (b"\x83t\0\0\0\1h\1t\0\0\0\0a\1", "in a key"),
    (b"\x83t\0\0\0\2a\1ja\1j", "equal, in Python"),
    (b"\x83t\0\0\0\2a\1jw\4truej", "equal, in Python"),
    (b"\x83w\1\xff", "not UTF-8"),
    (b"\x83w\3\xed\xa0\x80", "not UTF-8"),
    (b"\x83d\1\0" + b"a" * 256, "too long"),
    (b"\x83m\xff\xff\xff\xff", "4294967295 bytes are announced"),
    (b"\x83o\xff\xff\xff\xff\0", "4294967295 bytes are announced"),
    (b"\x83l\xff\xff\xff\xff" + b"j" * 100, "4294967295 items are announced in 100 bytes"),
    (b"\x83i\xff\xff\xff\xff", "4294967295 items"),
    (b"\x83t\x7f\xff\xff\xff" + b"j" * 100, "2147483647 items"),
    (b"\x83t\0\0\0\2jj\x6a", "2 items are announced in 3 bytes"),
    (b"\x83" + b"j" * MAX_SIZE, "larger"),
]


@pytest.mark.parametrize(("data", "message"), REFUSED_TO_READ, ids=lambda value: repr(value)[:30])
def test_what_is_no_term_or_not_ours_is_not_read(data: bytes, message: str) -> None:
    with pytest.raises(TermError, match=message):
        decode(data)


@pytest.mark.parametrize(
    ("head", "tail"),
    [(b"h\1", b""), (b"i\0\0\0\1", b""), (b"l\0\0\0\1", b"j"), (b"t\0\0\0\1a\1", b"")],
)
def test_depth_is_bounded(head: bytes, tail: bytes) -> None:
    deepest = decode(b"\x83" + head * MAX_DEPTH + b"j" + tail * MAX_DEPTH)
    assert decode(encode(deepest)) == deepest
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(TermError, match="deeper"):
            decode(b"\x83" + head * depth + b"j" + tail * depth)
    with pytest.raises(TermError, match="deeper"):
        encode([deepest])


@pytest.mark.parametrize(
    "data",
    [
        b"\x83m\xff\xff\xff\xff",
        b"\x83o\xff\xff\xff\xff\0",
        b"\x83i\x00\xff\xff\xff",
        b"\x83l\x00\xff\xff\xff",
        b"\x83" + b"l\0\0\0\x64" * 100 + b"j" * 10_000,
    ],
)
def test_an_announced_size_takes_no_memory(data: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(TermError):
        decode(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_the_memory_of_the_worst_term_is_bounded() -> None:
    count = 1 << 16
    data = b"\x83l" + count.to_bytes(4, "big") + b"j" * (count + 1)
    tracemalloc.start()
    assert decode(data) == [[]] * count
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 80 * len(data)  # while comparing, too


@pytest.mark.parametrize(
    ("name", "error"),
    [("true", ValueError), ("nil", ValueError), ("a" * 256, ValueError), ("\udc80", ValueError), (b"a", TypeError)],
)
def test_an_atom_has_a_name_that_erlang_takes(name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Atom(name)


def test_atoms_are_values() -> None:
    first, second = decode(b"\x83d\0\2ok"), decode(b"\x83w\2ok")
    assert first == second == Atom("ok")
    assert first is not second  # no table keeps them
    assert {Atom("ok"): 1, "ok": 2} == decode(encode({"ok": 2, Atom("ok"): 1}))  # a text is another key
