from __future__ import annotations

import pickle
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.envelope import EnvelopeError, Fault, Kind, Message, decode, encode, lane_of
from tests.envelope.strategies import MESSAGES

NEWS = Message(Kind.BROADCAST, "endpoint.pubsub", "room:1", "news", b'{"a":1}')
BYTES = b"\x01\x02\x0f\x00\x06\x00\x04endpoint.pubsubroom:1news" + b'{"a":1}'


def fault_of(data: bytes, max_bytes: int = 1000) -> Fault:
    with pytest.raises(EnvelopeError) as raised:
        decode(data, max_bytes)
    return raised.value.fault


def test_the_bytes_are_as_documented() -> None:
    assert encode(NEWS) == BYTES
    assert decode(BYTES) == NEWS


@given(MESSAGES)
def test_what_was_encoded_is_decoded(message: Message) -> None:
    assert decode(encode(message)) == message


@given(MESSAGES, st.data())
def test_CL31_what_is_cut_says_less_or_is_refused(message: Message, data: st.DataObject) -> None:
    encoded = encode(message)
    texts = len(encoded) - len(message.payload)
    cut = data.draw(st.integers(0, len(encoded)))
    if cut < texts:
        assert fault_of(encoded[:cut]) == "length"
    else:
        assert decode(encoded[:cut]) == message._replace(payload=message.payload[: cut - texts])


@given(st.binary(max_size=100))
def test_CL31_any_bytes_are_a_message_or_an_envelope_error(data: bytes) -> None:
    try:
        message = decode(data)
    except EnvelopeError:
        return
    assert encode(message) == data


@given(st.binary(max_size=60), st.integers(0, 255), st.integers(0, 65535), st.integers(0, 65535))
def test_CL31_any_lengths_are_a_message_or_an_envelope_error(rest: bytes, one: int, two: int, three: int) -> None:
    data = bytes([1, 2, one]) + two.to_bytes(2) + three.to_bytes(2) + rest
    if one + two + three > len(rest):
        assert fault_of(data) == "length"


@pytest.mark.parametrize("version", [0, 2, 0x7B, 0x81, 0xFF])
@pytest.mark.parametrize("rest", [b"", BYTES[1:]])
def test_CL64_another_version_is_told_apart_from_garbage(version: int, rest: bytes) -> None:
    assert fault_of(bytes([version]) + rest) == "version"


def test_CL64_a_kind_of_a_later_version_is_decoded() -> None:
    assert decode(b"\x01\xfe" + BYTES[2:]).kind == 0xFE


@pytest.mark.parametrize("at", [7, 7 + 15, 7 + 15 + 6])
def test_CL31_text_is_utf_8(at: int) -> None:
    assert fault_of(BYTES[:at] + b"\xff" + BYTES[at + 1 :]) == "text"


def test_a_character_does_not_begin_in_one_text_and_end_in_the_next() -> None:
    assert fault_of(b"\x01\x02\x01\x00\x01\x00\x00" + "é".encode()) == "text"


def test_a_payload_is_whatever_bytes() -> None:
    assert decode(encode(NEWS._replace(payload=b"\xff\xfe"))).payload == b"\xff\xfe"


def test_CL37_a_message_has_a_size() -> None:
    assert decode(encode(NEWS, len(BYTES)), len(BYTES)) == NEWS
    assert fault_of(BYTES, len(BYTES) - 1) == "size"
    with pytest.raises(EnvelopeError, match=f"at most {len(BYTES) - 1} bytes, and this one {len(BYTES)}") as raised:
        encode(NEWS, len(BYTES) - 1)
    assert raised.value.fault == "size"


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (NEWS._replace(scope="x" * 256), "size"),
        (NEWS._replace(topic="x" * 65536), "size"),
        (NEWS._replace(event="é" * 32768), "size"),
        (NEWS._replace(topic="\ud800"), "text"),
        (NEWS._replace(kind=256), "number"),
        (NEWS._replace(kind=-1), "number"),
    ],
)
def test_what_cannot_become_bytes_is_refused(message: Message, fault: Fault) -> None:
    with pytest.raises(EnvelopeError) as raised:
        encode(message)
    assert raised.value.fault == fault


def test_the_longest_texts_fit() -> None:
    longest = Message(255, "s" * 255, "t" * 65535, "e" * 65535, b"")
    assert decode(encode(longest)) == longest


def test_CL31_announced_lengths_take_no_memory() -> None:
    tracemalloc.start()
    try:
        assert fault_of(b"\x01\x02\xff\xff\xff\xff\xff") == "length"
        assert tracemalloc.get_traced_memory()[1] < 20_000
    finally:
        tracemalloc.stop()


def test_an_error_says_nothing_of_what_came_and_can_be_pickled() -> None:
    with pytest.raises(EnvelopeError) as raised:
        decode(BYTES.replace(b"news", b"\xffsec"))
    assert "sec" not in str(raised.value)
    again = pickle.loads(pickle.dumps(raised.value))  # noqa: S301 - our own
    assert (again.fault, str(again)) == ("text", str(raised.value))


def test_a_lane_is_scope_and_topic() -> None:
    assert lane_of("endpoint.pubsub", "room:1") == "endpoint.pubsub:room:1"
