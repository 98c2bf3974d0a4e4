from __future__ import annotations

from base64 import b64decode
from itertools import accumulate, pairwise

import orjson
import pytest
from hypothesis import example, given
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
    V2JSONSerializer,
)
from phxactor.socket._serializer import MAX_DEPTH, REF_TYPES
from tests.socket import messages, nested, payloads, refs, replies

V2: Serializer = V2JSONSerializer()

MESSAGE = b'["1","2","room:e1","echo",{"x":[1,{"y":null}]}]'
fields = st.text(max_size=63)  # of at most 252 bytes


def client_push(join_ref: str, ref: str, topic: str, event: str, data: bytes) -> bytes:
    encoded = [field.encode() for field in (join_ref, ref, topic, event)]
    return bytes([0, *map(len, encoded)]) + b"".join(encoded) + data


def taken_apart(data: bytes, count: int) -> list[bytes]:
    """A binary message of so many fields: its kind, its fields, its payload."""
    ends = list(accumulate(data[1 : count + 1], initial=count + 1))
    return [data[:1], *(data[a:b] for a, b in pairwise(ends)), data[ends[-1] :]]


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


# What JSON leaves open, and what a client may try.


@pytest.mark.parametrize("depth", [1030, 100_000, 1_000_000])
@pytest.mark.parametrize("closed", [True, False])
def test_a_payload_that_is_nested_too_deeply_is_refused(depth: int, closed: bool) -> None:
    payload = nested(depth) if closed else b"[" * depth
    with pytest.raises(DecodeError, match="not JSON"):
        V2.decode(b'["1","2","t","e",' + payload + b"]", TEXT)


@pytest.mark.parametrize("depth", [200, 253, 254, 1000, 1023])
@pytest.mark.parametrize("brackets", ["[]", '{"k":}'], ids=["arrays", "objects"])
def test_a_payload_that_could_not_be_written_again_is_not_read(depth: int, brackets: str) -> None:
    payload = brackets[:-1] * depth + "1" + brackets[-1] * depth
    with pytest.raises(DecodeError, match="nested more than 200 deep"):
        V2.decode(f'["1","2","t","e",{payload}]'.encode(), TEXT)


def test_the_deepest_payload_that_is_read_can_be_written_again_with_more_around_it() -> None:
    message = V2.decode(b'["1","2","t","e",' + nested(MAX_DEPTH - 1) + b"]", TEXT)
    payload: object = message.payload
    for _ in range(50):
        payload = [payload]
    assert orjson.loads(V2.encode(Reply("t", "ok", payload)).data)[4]["response"] == payload


def test_many_brackets_beside_one_another_are_not_deep() -> None:
    payload: object = [[{}]] * 1000
    assert V2.decode(orjson.dumps(["1", "2", "t", "e", payload]), TEXT).payload == payload


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("ref", ["2" * 255, "é" * 127, 2**53, 1e300])
def test_a_ref_that_a_binary_reply_can_carry_is_read(ref: Ref, at: int) -> None:
    fields: list[object] = ["1", "2", "t", "e", "x" * 300]
    fields[at] = ref
    message = V2.decode(orjson.dumps(fields), TEXT)
    assert [message.join_ref, message.ref] == fields[:2]
    V2.encode(Reply("t", "ok", b"", message.ref, message.join_ref))


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("ref", ["2" * 256, "é" * 128])
def test_a_longer_one_is_refused(ref: str, at: int) -> None:
    fields: list[object] = ["1", "2", "t", "e", {}]
    fields[at] = ref
    with pytest.raises(DecodeError, match="a ref of more than 255 bytes"):
        V2.decode(orjson.dumps(fields), TEXT)


def test_of_a_key_that_stands_twice_the_last_wins() -> None:
    assert V2.decode(b'["1","2","t","e",{"a":1,"a":2}]', TEXT).payload == {"a": 2}


def test_integers_beyond_64_bits_become_floats() -> None:
    payload = V2.decode(b'[null,null,"t","e",[18446744073709551615,18446744073709551616]]', TEXT).payload
    assert repr(payload) == "[18446744073709551615, 1.8446744073709552e+19]"


def test_keys_that_are_no_strings_become_strings() -> None:
    push = V2.fastlane(Broadcast("t", "e", {1: "one", "deep": [{2.5: None}]}))
    assert orjson.loads(push.data)[4] == {"1": "one", "deep": [{"2.5": None}]}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"x": b"bytes"}, "bytes"),
        ({"x": {1, 2}}, "set"),
        (bytearray(b"x"), "bytearray"),
        (2**64, "64-bit"),
        ("\ud800", "UTF-8"),
        ({(1, 2): 3}, "[Kk]ey"),
    ],
)
def test_what_is_no_json_is_refused_with_its_event_and_topic(payload: object, reason: str) -> None:
    with pytest.raises(EncodeError, match=f"event 'bad' on topic 'room:1': .*{reason}"):
        V2.encode(Message("room:1", "bad", payload))
    with pytest.raises(EncodeError, match=f"event 'bad' on topic 'room:1': .*{reason}"):
        V2.fastlane(Broadcast("room:1", "bad", payload))
    with pytest.raises(EncodeError, match=f"event 'phx_reply' on topic 'room:1': .*{reason}"):
        V2.encode(Reply("room:1", "ok", payload))


# Binary, as Phoenix 1.8.12 was recorded.


def test_a_binary_echo_byte_for_byte() -> None:
    data = bytes(range(256))
    sent = b64decode("AAEBCQsxMnJvb206YmluNGJpbmFyeV9lY2hv") + data
    message = V2.decode(sent, BINARY)
    assert message == Message("room:bin4", "binary_echo", data, "2", "1")
    reply = V2.encode(Reply("room:bin4", "ok", message.payload, message.ref, message.join_ref))
    assert reply == SocketPush(BINARY, b64decode("AQEBCQIxMnJvb206YmluNG9r") + data)


def test_a_binary_push_byte_for_byte() -> None:
    push = V2.encode(Message("room:bin1", "bin", b"\x00\x01\x02\xff", join_ref="1"))
    assert push == SocketPush(BINARY, b64decode("AAEJAzFyb29tOmJpbjFiaW4AAQL/"))


def test_a_binary_reply_byte_for_byte() -> None:
    push = V2.encode(Reply("room:bin2", "ok", b"\x01\x02\x03", "2", "1"))
    assert push == SocketPush(BINARY, b64decode("AQEBCQIxMnJvb206YmluMm9rAQID"))


def test_a_binary_broadcast_byte_for_byte() -> None:
    push = V2.fastlane(Broadcast("room:bin6", "binb", b"\x09\x08\x07"))
    assert push == SocketPush(BINARY, b64decode("AgkEcm9vbTpiaW42YmluYgkIBw=="))


@given(fields, fields, fields, fields, st.binary())
@example("", "", "", "", b"")
@example("j" * 255, "r" * 255, "t" * 255, "e" * 255, b"\x00")
def test_a_binary_message_comes_in(join_ref: str, ref: str, topic: str, event: str, data: bytes) -> None:
    sent = client_push(join_ref, ref, topic, event, data)
    assert V2.decode(sent, BINARY) == Message(topic, event, data, ref, join_ref)


written_refs = st.none() | st.integers() | fields


@given(st.tuples(written_refs, written_refs), fields, fields, fields, st.binary())
def test_binary_messages_go_out(given_refs: tuple[Ref, Ref], topic: str, event: str, status: str, data: bytes) -> None:
    join_ref, ref = given_refs
    j, r = (("" if one is None else str(one)).encode() for one in given_refs)
    t, e, s = topic.encode(), event.encode(), status.encode()
    push = V2.encode(Message(topic, event, data, "not written", join_ref))
    assert taken_apart(push.data, 3) == [b"\x00", j, t, e, data]
    reply = V2.encode(Reply(topic, status, data, ref, join_ref))
    assert taken_apart(reply.data, 4) == [b"\x01", j, r, t, s, data]
    broadcast = V2.fastlane(Broadcast(topic, event, data))
    assert taken_apart(broadcast.data, 2) == [b"\x02", t, e, data]
    assert {push.opcode, reply.opcode, broadcast.opcode} == {BINARY}


LONG = "ü" * 128  # 256 bytes, though only 128 characters


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (Reply(LONG, "ok", b"", "2", "1"), "topic"),
        (Reply("t", LONG, b"", "2", "1"), "status"),
        (Reply("t", "ok", b"", LONG, "1"), "ref"),
        (Reply("t", "ok", b"", "2", LONG), "join_ref"),
        (Message(LONG, "e", b""), "topic"),
        (Message("t", LONG, b""), "event"),
        (Message("t", "e", b"", None, LONG), "join_ref"),
        (Message("t", "e", b"", None, 10**255), "join_ref"),
    ],
)
def test_a_field_that_is_too_long_for_binary_is_named(message: Message | Reply, field: str) -> None:
    with pytest.raises(EncodeError, match=f"^{field} has 256 bytes; .* room for 255"):
        V2.encode(message)


def test_a_broadcast_names_its_long_field_too() -> None:
    with pytest.raises(EncodeError, match=r"^topic has 300 bytes"):
        V2.fastlane(Broadcast("t" * 300, "e", b""))
    with pytest.raises(EncodeError, match=r"^event has 300 bytes"):
        V2.fastlane(Broadcast("t", "e" * 300, b""))


def test_a_field_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(EncodeError, match="no valid Unicode"):
        V2.encode(Message("\ud800", "e", b""))
    with pytest.raises(EncodeError, match="no valid Unicode"):
        V2.encode(Reply("\ud800", "ok", b""))
    with pytest.raises(EncodeError, match="no valid Unicode"):
        V2.fastlane(Broadcast("\ud800", "e", b""))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "shorter than its head"),
        (b"\x00\x01\x01\x01", "shorter than its head"),
        (b64decode("AAkJCQlB"), "ends at byte 6"),
        (b"\x01\x00\x00\x00\x00", "kind 1; clients must send a push"),
        (b"\x02\x00\x00\x00\x00", "kind 2; clients must send a push"),
        (b"\x00\x01\x00\x00\x00\xff", "not UTF-8"),
        (b"\x00\x00\x01\x00\x00\xff", "not UTF-8"),
        (b"\x00\x00\x00\x01\x00\xff", "not UTF-8"),
        (b"\x00\x00\x00\x00\x01\xff", "not UTF-8"),
    ],
)
def test_binary_that_is_no_push_is_refused_in_words(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason) as caught:
        V2.decode(data, BINARY)
    assert not isinstance(caught.value, InvalidUTF8)


@given(fields, fields, fields, fields, st.data())
def test_a_binary_message_that_is_cut_in_its_fields_is_refused(
    join_ref: str, ref: str, topic: str, event: str, data: st.DataObject
) -> None:
    whole = client_push(join_ref, ref, topic, event, b"")
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(DecodeError):
        V2.decode(whole[:cut], BINARY)


# Whatever comes: a message, or a DecodeError.


@given(
    st.binary()
    | st.lists(payloads | refs, max_size=7).map(orjson.dumps)
    | st.binary().map(lambda rest: b"\x00\x01\x01\x01\x01" + rest),
    st.sampled_from([TEXT, BINARY]),
)
def test_only_decode_errors_come_out(data: bytes, opcode: int) -> None:
    try:
        message = V2.decode(data, opcode)
    except InvalidUTF8:
        assert opcode == TEXT
        with pytest.raises(UnicodeDecodeError):
            data.decode()
    except DecodeError:
        if opcode == TEXT:
            data.decode()
    else:
        assert type(message.topic) is str
        assert type(message.event) is str
        assert isinstance(message.payload, bytes) == (opcode == BINARY)
