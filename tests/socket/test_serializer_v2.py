"""Messages as version 2 of the serializer reads and writes them: text."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.socket import (
    TEXT,
    Broadcast,
    DecodeError,
    InvalidUTF8,
    Message,
    Mistyped,
    OddEvent,
    Ref,
    Reply,
    SocketPush,
)
from phxactor.socket._serializer import MAX_DEPTH, REF_TYPES
from tests.socket import messages, nested, payloads, replies
from tests.socket.pushes import V2, taken_apart

MESSAGE = b'["1","2","room:e1","echo",{"x":[1,{"y":null}]}]'


# Text, as Phoenix 1.8.12 was recorded.
def test_a_message_comes_in_as_an_array() -> None:
    assert V2.decode(MESSAGE, TEXT) == Message("room:e1", "echo", {"x": [1, {"y": None}]}, "2", "1")


def test_a_reply_goes_out_as_phx_reply() -> None:
    push = V2.encode(Reply("room:lobby", "ok", {"hello": "lobby"}, "1", "1"))
    assert push.opcode == TEXT
    assert orjson.loads(push.data) == [
        *("1", "1", "room:lobby", "phx_reply"),
        {"status": "ok", "response": {"hello": "lobby"}},
    ]


def test_a_push_goes_out_without_a_ref() -> None:
    push = V2.encode(Message("room:p1", "pushed", {"a": 1}, join_ref="1"))
    assert push == SocketPush(TEXT, b'["1",null,"room:p1","pushed",{"a":1}]')


def test_a_broadcast_goes_out_without_refs() -> None:
    push = V2.fastlane(Broadcast("room:b12", "broadcast", {"a": 1}))
    assert push == SocketPush(TEXT, b'[null,null,"room:b12","broadcast",{"a":1}]')


@given(messages)
def test_text_comes_back_as_it_went(message: Message) -> None:
    push = V2.encode(message)
    assert V2.decode(push.data, push.opcode) == message


@given(replies)
def test_a_reply_is_a_message_to_the_client(reply: Reply) -> None:
    payload = {"status": reply.status, "response": reply.payload}
    expected = Message(reply.topic, "phx_reply", payload, reply.ref, reply.join_ref)
    assert V2.decode(V2.encode(reply).data, TEXT) == expected


@given(st.text(), st.text(), payloads)
def test_a_broadcast_is_a_message_without_refs(topic: str, event: str, payload: object) -> None:
    push = V2.fastlane(Broadcast(topic, event, payload))
    assert V2.decode(push.data, push.opcode) == Message(topic, event, payload)


@pytest.mark.parametrize("ref", [None, "", "1", 7, -1, 1.5])
def test_refs_come_back_as_they_came(ref: Ref) -> None:
    message = V2.decode(orjson.dumps([ref, ref, "t", "e", {}]), TEXT)
    reply = V2.encode(Reply("t", "ok", {}, message.ref, message.join_ref))
    assert [repr(back) for back in orjson.loads(reply.data)[:2]] == [repr(ref)] * 2


def test_more_than_five_elements_are_ignored() -> None:
    assert V2.decode(b'["1","2","t","e",{},"more",6]', TEXT) == Message("t", "e", {}, "2", "1")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"not json", "not JSON"),
        (b"", "not JSON"),
        (b'["1","2","t","e",{}', "not JSON"),
        (b'\xef\xbb\xbf["1","2","t","e",{}]', "not JSON"),
        (b'["1","2","t","e",NaN]', "not JSON"),
        (b'["1","2","t","e",1e400]', "not JSON"),
        (b'["1","2","t","e","\\ud8"]', "not JSON"),
        (b'["1","2","t","e","\\ud800",]', "not JSON"),
        (b'["1","2","t","\\ud800"]', "array has 4 elements, not 5"),
        (b'["1","2","t","e",{}]["1"]', "not JSON"),
        (b'{"topic":"room:x"}', "not an array"),
        (b'{"a":1,"b":2,"c":3,"d":4,"e":5}', "not an array"),
        (b'"abcde"', "not an array"),
        (b"null", "not an array"),
        (b"[1,2,3]", "array has 3 elements, not 5"),
        (b'["1","2",3,"e",{}]', "topic is not a string but a number"),
        (b'["1","2",null,"e",{}]', "topic is not a string but null"),
        (b'["1","2","t",["e"],{}]', "event is not a string but an array"),
        (b'["1",{},"t","e",{}]', "^ref is not a string, number or null but an object"),
        (b'[true,"2","t","e",{}]', "join_ref is not a string, number or null but a boolean"),
    ],
)
def test_text_that_is_no_message_is_refused_in_words(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason) as caught:
        V2.decode(data, TEXT)
    assert repr(data[:10])[2:-1] in str(caught.value)
    assert not isinstance(caught.value, InvalidUTF8)


PLACES = {"join_ref": 0, "ref": 1, "topic": 2, "event": 3}


ODD: list[object] = [0, 7, 1.5, None, True, False, [], ["a", {"b": None}], {}, {"a": [1]}]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_field_of_another_type_comes_in_to_be_answered(place: str, odd: object) -> None:
    fields: list[object] = ["1", "2", "t", "e", {"n": 1}]
    fields[PLACES[place]] = odd
    if place.endswith("ref") and type(odd) in REF_TYPES:
        assert repr(getattr(V2.decode(orjson.dumps(fields), TEXT), place)) == repr(odd)
        return
    with pytest.raises(Mistyped, match=f"^{place} is not a string") as caught:
        V2.decode(orjson.dumps(fields), TEXT)
    message = caught.value.message
    assert caught.value.refusal is None
    assert type(message) is (OddEvent if place == "event" else Message)
    assert message.payload == {"n": 1}
    taken = [message.join_ref, message.ref, message.topic, message.event]
    fields[3] = orjson.dumps(odd).decode() if place == "event" else "e"
    assert [repr(one) for one in taken] == [repr(one) for one in fields[:4]]
    answer = V2.encode(Reply(message.topic, "error", {}, message.ref, message.join_ref))
    assert orjson.loads(answer.data)[:3] == fields[:3]


def test_a_topic_counts_before_an_event_and_both_before_a_ref() -> None:
    for data, reason in (
        (b"[[],{},1,2,3]", "topic is not a string but a number"),
        (b'[[],{},"t",2,3]', "event is not a string but a number"),
        (b'[[],{},"t","e",3]', "^ref is not"),
    ):
        with pytest.raises(Mistyped, match=reason):
            V2.decode(data, TEXT)


@pytest.mark.parametrize("place", PLACES.values())
def test_what_could_not_be_answered_is_refused_wherever_it_stands(place: int) -> None:
    fields = [b'"1"', b'"2"', b'"t"', b'"e"', b"{}"]
    fields[place] = nested(MAX_DEPTH)
    with pytest.raises(DecodeError, match="nested more than 200 deep") as caught:
        V2.decode(b"[" + b",".join(fields) + b"]", TEXT)
    assert not isinstance(caught.value, Mistyped)
    fields[place] = b"[" + b"1," * 200 + b"1]"
    with pytest.raises(DecodeError, match="a ref of more than 255 bytes" if place < 2 else "is not a string") as caught:
        V2.decode(b"[" + b",".join(fields) + b"]", TEXT)
    assert isinstance(caught.value, Mistyped) == (place >= 2)


@pytest.mark.parametrize(
    ("ref", "text"), [(True, "true"), ([], "[]"), (["a", None], '["a",null]'), ({"a": 1.5}, '{"a":1.5}'), (7, "7")]
)
def test_a_binary_reply_has_refs_as_they_are_written(ref: Ref, text: str) -> None:
    reply = V2.encode(Reply("t", "ok", b"", ref, ref))
    assert taken_apart(reply.data, 4)[1:3] == [text.encode()] * 2


def test_an_error_shows_no_more_than_the_beginning() -> None:
    with pytest.raises(DecodeError) as caught:
        V2.decode(b"x" * 100_000, TEXT)
    assert str(caught.value).endswith("'" + "x" * 80 + "'... (100000 bytes)")


@given(st.integers(0, len(MESSAGE)), st.sampled_from([b"\xff", b"\x80", b"\xc0\x80", b"\xed\xa0\x80"]))
def test_invalid_utf8_is_told_from_other_errors_wherever_it_stands(at: int, wrong: bytes) -> None:
    with pytest.raises(InvalidUTF8):
        V2.decode(MESSAGE[:at] + wrong + MESSAGE[at:], TEXT)
