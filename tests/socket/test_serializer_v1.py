from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.socket import (
    BINARY,
    TEXT,
    Broadcast,
    DecodeError,
    EncodeError,
    InvalidUTF8,
    Message,
    Mistyped,
    OddEvent,
    Ref,
    Reply,
    Serializer,
    SocketPush,
    V1JSONSerializer,
)
from phxactor.socket._serializer import REF_TYPES
from tests.socket import messages, nested, payloads, refs, replies

V1: Serializer = V1JSONSerializer()

MESSAGE = b'{"topic":"room:v1","event":"echo","payload":{"n":1},"ref":"2"}'


def read(push: SocketPush) -> object:
    assert push.opcode == TEXT
    return orjson.loads(push.data)


# As Phoenix 1.8.12 was recorded.


def test_a_message_comes_in_as_an_object() -> None:
    assert V1.decode(MESSAGE, TEXT) == Message("room:v1", "echo", {"n": 1}, "2")


def test_a_reply_goes_out_as_phx_reply_without_a_join_ref() -> None:
    assert read(V1.encode(Reply("room:v1", "ok", {"n": 1}, "2", "1"))) == {
        "event": "phx_reply",
        "payload": {"response": {"n": 1}, "status": "ok"},
        "ref": "2",
        "topic": "room:v1",
    }


def test_a_push_goes_out_with_ref_null() -> None:
    assert read(V1.encode(Message("room:v1", "pushed", {"n": 2}, join_ref="1"))) == {
        "event": "pushed",
        "payload": {"n": 2},
        "ref": None,
        "topic": "room:v1",
    }


def test_a_broadcast_goes_out_with_ref_null() -> None:
    assert read(V1.fastlane(Broadcast("room:b12", "broadcast", {"a": 1}))) == {
        "event": "broadcast",
        "payload": {"a": 1},
        "ref": None,
        "topic": "room:b12",
    }


@given(messages)
def test_text_comes_back_as_it_went_but_for_the_join_ref(message: Message) -> None:
    back = V1.decode(V1.encode(message).data, TEXT)
    assert back == Message(message.topic, message.event, message.payload, message.ref)


@given(replies)
def test_a_reply_is_a_message_to_the_client(reply: Reply) -> None:
    payload = {"status": reply.status, "response": reply.payload}
    expected = Message(reply.topic, "phx_reply", payload, reply.ref)
    assert V1.decode(V1.encode(reply).data, TEXT) == expected


@given(refs, refs)
def test_ref_and_join_ref_come_in_as_they_are(ref: Ref, join_ref: Ref) -> None:
    ours = {"topic": "t", "event": "e", "payload": {}}
    assert V1.decode(orjson.dumps(ours | {"ref": ref, "join_ref": join_ref, "more": 1}), TEXT) == Message(
        "t", "e", {}, ref, join_ref
    )


def test_a_ref_may_be_missing() -> None:
    message = V1.decode(b'{"topic":"phoenix","event":"heartbeat","payload":{}}', TEXT)
    assert message == Message("phoenix", "heartbeat", {})


def test_a_numeric_ref_comes_back_as_a_number() -> None:
    message = V1.decode(b'{"topic":"t","event":"e","payload":null,"ref":7}', TEXT)
    assert b'"ref":7' in V1.encode(Reply("t", "ok", {}, message.ref)).data


# What is refused.


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"not json", "not JSON"),
        (b'{"topic":"t"', "not JSON"),
        (b'["1","2","t","e",{}]', "not an object"),
        (b'"topic"', "not an object"),
        (b"null", "not an object"),
        (b"1", "not an object"),
        (b'{"event":"e","payload":{},"ref":"1"}', "without 'topic'"),
        (b'{"topic":"t","payload":{},"ref":"1"}', "without 'event'"),
        (b'{"topic":"t","event":"e","ref":"1"}', "without 'payload'"),
        (b'{"topic":1,"event":"e","payload":{}}', "topic is not a string but a number"),
        (b'{"topic":"t","event":null,"payload":{}}', "event is not a string but null"),
        (b'{"topic":"t","event":"e","payload":{},"ref":[]}', "^ref is not a string, number or null"),
        (b'{"topic":"t","event":"e","payload":{},"join_ref":{}}', "^join_ref is not a string, number"),
        (b'{"topic":"t","event":"e","payload":' + nested(2000) + b"}", "not JSON"),
        (b'{"topic":"t","event":"e","payload":' + nested(200) + b"}", "nested more than 200 deep"),
    ],
)
def test_text_that_is_no_message_is_refused_in_words(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason) as caught:
        V1.decode(data, TEXT)
    assert not isinstance(caught.value, InvalidUTF8)


@pytest.mark.parametrize("place", ["topic", "event", "ref", "join_ref"])
@pytest.mark.parametrize("odd", [0, 7, 1.5, None, True, [], ["a"], {}, {"a": 1}], ids=repr)
def test_a_field_of_another_type_comes_in_to_be_answered(place: str, odd: object) -> None:
    fields = {"topic": "t", "event": "e", "payload": {}, "ref": "2", "join_ref": "1"} | {place: odd}
    if place.endswith("ref") and type(odd) in REF_TYPES:
        assert repr(getattr(V1.decode(orjson.dumps(fields), TEXT), place)) == repr(odd)
        return
    with pytest.raises(Mistyped, match=f"^{place} is not a string") as caught:
        V1.decode(orjson.dumps(fields), TEXT)
    message = caught.value.message
    assert type(message) is (OddEvent if place == "event" else Message)
    written = orjson.loads(V1.encode(Reply(message.topic, "error", {}, message.ref)).data)
    assert [repr(written[name]) for name in ("topic", "ref")] == [repr(fields[name]) for name in ("topic", "ref")]


@given(st.integers(0, len(MESSAGE)))
def test_invalid_utf8_is_told_from_other_errors(at: int) -> None:
    with pytest.raises(InvalidUTF8):
        V1.decode(MESSAGE[:at] + b"\xff" + MESSAGE[at:], TEXT)


def test_a_binary_frame_is_refused_even_with_json_in_it() -> None:
    with pytest.raises(DecodeError, match="a binary frame"):
        V1.decode(MESSAGE, BINARY)


def test_bytes_cannot_go_out() -> None:
    with pytest.raises(EncodeError, match=r"event 'bin' on topic 'room:1': .*bytes"):
        V1.encode(Message("room:1", "bin", b"\x00"))
    with pytest.raises(EncodeError, match=r"event 'bin' on topic 'room:1': .*bytes"):
        V1.fastlane(Broadcast("room:1", "bin", b"\x00"))
    with pytest.raises(EncodeError, match=r"event 'phx_reply' on topic 'room:1': .*bytes"):
        V1.encode(Reply("room:1", "ok", b"\x00"))


def test_keys_that_are_no_strings_become_strings() -> None:
    push = V1.fastlane(Broadcast("t", "e", {1: "one"}))
    assert orjson.loads(push.data)["payload"] == {"1": "one"}


# Whatever comes: a message, or a DecodeError.

_names = st.sampled_from(["topic", "event", "payload", "ref", "join_ref"]) | st.text(max_size=2)


@given(
    st.binary() | payloads.map(orjson.dumps) | st.dictionaries(_names, st.text() | payloads).map(orjson.dumps),
    st.sampled_from([TEXT, BINARY]),
)
def test_only_decode_errors_come_out(data: bytes, opcode: int) -> None:
    try:
        message = V1.decode(data, opcode)
    except DecodeError:
        return
    assert opcode == TEXT
    assert type(message.topic) is str
    assert type(message.event) is str
