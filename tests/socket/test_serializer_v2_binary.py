"""Binary messages of version 2 of the serializer."""

from __future__ import annotations

from base64 import b64decode

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
    Ref,
    Reply,
    SocketPush,
)
from tests.socket import payloads, refs
from tests.socket.pushes import V2, fields, taken_apart


def client_push(join_ref: str, ref: str, topic: str, event: str, data: bytes) -> bytes:
    encoded = [field.encode() for field in (join_ref, ref, topic, event)]
    return bytes([0, *map(len, encoded)]) + b"".join(encoded) + data


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
