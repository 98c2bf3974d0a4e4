from __future__ import annotations

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phxactor.client import decode, encode
from phxactor.socket import (
    BINARY,
    TEXT,
    Broadcast,
    DecodeError,
    EncodeError,
    Message,
    Reply,
    SocketPush,
    V2JSONSerializer,
)

SERVER = V2JSONSerializer()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
names = st.text(max_size=63)  # of at most 252 bytes
refs = st.text(min_size=1, max_size=63)
payloads = JSON | st.binary()
events = names.filter(lambda event: event != "phx_reply")


def sent(push: SocketPush) -> str | bytes:
    return push.data if push.opcode == BINARY else push.data.decode()


@given(st.builds(Message, names, names, payloads, refs, refs))
def test_the_server_reads_what_the_client_writes(message: Message) -> None:
    data = encode(message)
    if isinstance(data, bytes):
        assert SERVER.decode(data, BINARY) == message
    else:
        assert SERVER.decode(data.encode(), TEXT) == message


@given(st.builds(Message, names, events, payloads, st.none(), st.none() | refs))
def test_the_client_reads_pushes(message: Message) -> None:
    assert decode(sent(SERVER.encode(message))) == message


@given(st.builds(Reply, names, names, payloads, refs, st.none() | refs))
def test_the_client_reads_replies(reply: Reply) -> None:
    assert decode(sent(SERVER.encode(reply))) == reply


@given(st.builds(Broadcast, names, events, payloads))
def test_the_client_reads_broadcasts(broadcast: Broadcast) -> None:
    assert decode(sent(SERVER.fastlane(broadcast))) == Message(broadcast.topic, broadcast.event, broadcast.payload)


def test_a_binary_push_of_the_client_by_bytes() -> None:
    assert encode(Message("room:1", "up", b"\xff\0", "2", "1")) == b"\x00\x01\x01\x06\x0212room:1up\xff\0"


def test_binary_messages_of_the_server_by_bytes() -> None:
    assert decode(b"\x00\x01\x06\x031room:1bin\x09") == Message("room:1", "bin", b"\x09", None, "1")
    assert decode(b"\x01\x01\x02\x06\x02112room:1ok\x09") == Reply("room:1", "ok", b"\x09", "12", "1")
    assert decode(b"\x02\x06\x03room:1bin\x09") == Message("room:1", "bin", b"\x09")


@given(st.binary() | st.text() | JSON.map(lambda value: orjson.dumps(value).decode()))
@example('["1","2","t","phx_reply",{}]')
@example('["1","2","t","phx_reply",{"status":1,"response":{}}]')
@example('["1","2","t","phx_reply",null]')
@example(b"\x01\x01\x01")
@example(b"\x02\x05\x05topic")
@example(b"\x02\x01\x00\xff")
def test_anything_is_a_message_or_a_decode_error(data: str | bytes) -> None:
    try:
        message = decode(data)
    except DecodeError:
        return
    assert isinstance(message, Message | Reply)


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(EncodeError, match="longer than 255 bytes: b'eeee"):
        encode(Message("room:1", "e" * 256, b"", "2", "1"))
    with pytest.raises(EncodeError, match="event 'up' on topic 'room:1'"):
        encode(Message("room:1", "up", {"set": {1}}, "2", "1"))
