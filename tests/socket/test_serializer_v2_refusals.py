"""What version 2 of the serializer refuses, and what JSON makes of odd values."""

from __future__ import annotations

import orjson
import pytest

from phxactor.socket import (
    TEXT,
    Broadcast,
    DecodeError,
    EncodeError,
    Message,
    Ref,
    Reply,
)
from phxactor.socket._serializer import MAX_DEPTH
from tests.socket import nested
from tests.socket.pushes import V2


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
