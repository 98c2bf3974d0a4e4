"""Phoenix's protocol 2.0.0 from the client's side. Text messages are the same both ways; binary messages differ.

A binary message consists of one byte for its kind, one byte for the length of each field, the fields, and the payload:

- to the server, 0: join_ref, ref, topic, event
- push from the server, 0: join_ref, topic, event
- reply, 1: join_ref, ref, topic, status
- broadcast, 2: topic, event
"""

from __future__ import annotations

from typing import Final

from phxactor.socket import TEXT, DecodeError, EncodeError, Message, Ref, Reply, V2JSONSerializer

MAX_FIELD: Final = 255
"""Maximum bytes of a field in a binary message, since its length is one byte."""
_TEXT: Final = V2JSONSerializer()


def encode(message: Message) -> str | bytes:
    """Encode a message to the server: as binary (bytes) if its payload is `bytes`, else as text (str).

    Raises:
        EncodeError: JSON cannot hold the payload, or a field of a binary message is longer than 255 bytes.

    """
    if not isinstance(message.payload, bytes):
        return _TEXT.encode(message).data.decode()
    fields = [_field(field) for field in (message.join_ref, message.ref, message.topic, message.event)]
    try:
        head = bytes((0, *map(len, fields)))
    except ValueError:
        longest = max(fields, key=len)
        raise EncodeError(f"a field of a binary message is longer than {MAX_FIELD} bytes: {longest[:80]!r}") from None
    return b"".join((head, *fields, message.payload))


def decode(data: str | bytes) -> Message | Reply:
    """Decode a message from the server.

    Raises:
        DecodeError: the data is not a message of the protocol.

    """
    if isinstance(data, bytes):
        return _decode_binary(data)
    text = data.encode()
    message = _TEXT.decode(text, TEXT)
    if message.event != "phx_reply":
        return message
    match message.payload:
        case {"status": str(status), "response": response}:
            return Reply(message.topic, status, response, message.ref, message.join_ref)
    raise DecodeError("a reply without status and response", text)


def _decode_binary(data: bytes) -> Message | Reply:
    match data[:1]:
        case b"\0":
            (join_ref, topic, event), payload = _split(data, 3)
            return Message(topic, event, payload, join_ref=join_ref or None)
        case b"\1":
            (join_ref, ref, topic, status), payload = _split(data, 4)
            return Reply(topic, status, payload, ref or None, join_ref or None)
        case b"\2":
            (topic, event), payload = _split(data, 2)
            return Message(topic, event, payload)
    raise DecodeError("a binary message of an unknown kind", data)


def _split(data: bytes, count: int) -> tuple[list[str], bytes]:
    start = 1 + count
    fields = []
    try:
        for length in data[1:start]:
            fields.append(data[start : start + length].decode())
            start += length
    except UnicodeDecodeError:
        raise DecodeError("a binary message with a field that is not UTF-8", data) from None
    if len(fields) < count or len(data) < start:
        raise DecodeError("a binary message that is cut", data)
    return fields, data[start:]


def _field(ref: Ref) -> bytes:
    return b"" if ref is None else str(ref).encode()
