"""Half a character in a text: U+FFFD in its place, and nothing else is changed."""

from __future__ import annotations

import gc
import json
import time
from contextlib import suppress

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phxactor.socket import (
    TEXT,
    DecodeError,
    InvalidUTF8,
    Message,
    Mistyped,
    Serializer,
    V1JSONSerializer,
    V2JSONSerializer,
)
from phxactor.socket._mending import mend

V1: Serializer = V1JSONSerializer()
V2: Serializer = V2JSONSerializer()

units = st.lists(
    st.sampled_from([0xD83D, 0xDE00, 0xDBFF, 0xDFFF, 0x5C, 0x22, 0x75, 0x64, 0xFFFD, 0x0A, 0x20AC])
    | st.integers(1, 0xFFFF)
)
strings = units.map(lambda some: b"".join(unit.to_bytes(2, "little") for unit in some))
"""JavaScript's: any units of UTF-16."""


def stringify(utf16: bytes) -> bytes:
    """Write a string as JSON.stringify does: halves that stand alone as escapes."""
    return json.dumps(utf16.decode("utf-16-le", "surrogatepass"), ensure_ascii=False).encode(
        "utf-8", "backslashreplace"
    )


def read(utf16: bytes) -> str:
    """Say what such a string is in Unicode."""
    return utf16.decode("utf-16-le", "replace")


@given(strings)
@example("\\".encode("utf-16-le") + b"\x3d\xd8")
@example(b"\x3d\xd8" * 2 + b"\x00\xde" * 2)
def test_each_half_becomes_one_character(string: bytes) -> None:
    assert orjson.loads(mend(stringify(string))) == read(string)
    escaped = json.dumps(string.decode("utf-16-le", "surrogatepass")).encode()
    assert orjson.loads(mend(escaped)) == read(string)
    assert orjson.loads(mend(escaped.replace(b"\\ud", b"\\uD"))) == read(string) or b"\\\\ud" in escaped


@given(st.recursive(strings, lambda inner: st.lists(inner) | st.dictionaries(strings, inner), max_leaves=6))
def test_wherever_they_stand(value: object) -> None:
    def write(value: object) -> bytes:
        match value:
            case bytes():
                return stringify(value)
            case list():
                return b"[" + b",".join(map(write, value)) + b"]"
            case dict():
                return b"{" + b",".join(stringify(key) + b":" + write(one) for key, one in value.items()) + b"}"
        raise AssertionError(value)

    def mended(value: object) -> object:
        match value:
            case bytes():
                return read(value)
            case list():
                return [mended(one) for one in value]
            case dict():
                return {read(key): mended(one) for key, one in value.items()}
        raise AssertionError(value)

    data = b'["1","2","t","e",' + write(value) + b"]"
    assert V2.decode(data, TEXT) == Message("t", "e", mended(value), "2", "1")


@given(st.binary())
@example(b"\x01\\ud83d")
@example(b"\\\\\\")
def test_what_has_none_is_not_touched(data: bytes) -> None:
    if b"\\u" not in data:
        assert mend(data) == data


@pytest.mark.parametrize(
    ("names", "refusal"),
    [
        ({"topic": r'"\ud83d"'}, "unmatched topic"),
        ({"topic": r'"room:\uDE00"', "ref": r'"\ud83d"'}, "unmatched topic"),
        ({"topic": r'{"\ud83d":1}'}, "unmatched topic"),
        ({"ref": r'"\ud83d"'}, "invalid ref"),
        ({"ref": r'["a","\ud83d"]'}, "invalid ref"),
        ({"join_ref": r'"a\udbff"'}, "invalid ref"),
    ],
)
@pytest.mark.parametrize("event", ['"e"', "7", r'"\ud83d"'])
@pytest.mark.parametrize("payload", ["{}", r'"\ud83d"'])
def test_a_name_that_was_cut_is_refused(names: dict[str, str], refusal: str, event: str, payload: str) -> None:
    fields = {"join_ref": '"1"', "ref": '"2"', "topic": '"t"', "event": event, "payload": payload} | names
    one = "{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}"
    two = "[" + ",".join(fields.values()) + "]"
    for serializer, text in ((V1, one), (V2, two)):
        with pytest.raises(Mistyped, match="half a character in") as caught:
            serializer.decode(text.encode(), TEXT)
        assert caught.value.refusal == refusal
        for name in names:
            assert "\ufffd" in str(getattr(caught.value.message, name))


def test_a_name_that_has_the_replacement_is_not() -> None:
    message = V2.decode('["\ufffd","\ufffd","\ufffd","e","\\ud83d"]'.encode(), TEXT)
    assert message == Message("\ufffd", "e", "\ufffd", "\ufffd", "\ufffd")


def test_a_half_does_not_hide_what_else_is_wrong() -> None:
    for data, error in (
        (b'["1","2","t","e","\\ud83d"', DecodeError),
        (b'["1","2","t","e","\\ud83d\x01"]', DecodeError),
        (b'["1","2","t","\\ud83d"]', DecodeError),
        (b'["1","2","t","e","\\ud83d\xff"]', InvalidUTF8),
        (b'["1","2",7,"e","\\ud83d"]', Mistyped),
    ):
        with pytest.raises(DecodeError) as caught:
            V2.decode(data, TEXT)
        assert type(caught.value) is error


@pytest.mark.parametrize("text", [r'["1","2",7,"e","\ud83d"]', r'["1","2","\ud83d",7,{}]', r'["1","2","t","e"]', "[7"])
def test_an_error_leaves_nothing_for_the_collector(text: str) -> None:
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            with suppress(DecodeError):
                V2.decode(text.encode(), TEXT)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_many_of_them_take_no_more_than_their_number() -> None:
    """A megabyte of halves, or of what only looks like them, is mended at once and not once for each."""
    for piece in (b"\\ud83d", b"\\ude00", b"\\ud83d\\ud83d\\ude00", b"\\\\ud83d", b"\\\\", b"\\n"):
        data = b'["1","2","t","e","\\ud83d' + piece * (1_000_000 // len(piece)) + b'"]'
        began = time.process_time()
        V2.decode(data, TEXT)
        assert time.process_time() - began < 1


@pytest.mark.parametrize("payload", ["\ufffd", "\\ufffd", "\\uFFFD"])
def test_a_long_text_is_not_read_again_for_the_replacement_character_in_a_name(payload: str) -> None:
    text = '["1","1","a\\ud83d","e","%s"]' % (payload + "x" * 70_000)
    with pytest.raises(Mistyped, match="half a character in topic"):
        V2.decode(text.encode(), TEXT)
    text = '["1","1","a","e","\\ud83d%s"]' % (payload + "x" * 70_000)
    assert V2.decode(text.encode(), TEXT).topic == "a"
