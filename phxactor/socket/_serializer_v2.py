"""Phoenix's serializer for `vsn=2.0.0`, which phoenix.js speaks."""

from __future__ import annotations

from typing import Any, Final, final

from orjson import dumps, loads

from phxactor.socket._mending import decode_mended
from phxactor.socket._messages import BINARY, TEXT, Broadcast, Message, Ref, Reply, SocketPush
from phxactor.socket._serializer import (
    EXCERPT,
    REF_TYPES,
    SMALL,
    DecodeError,
    EncodeError,
    check_depth,
    dumps_any_key,
    mistyped,
    ref_text,
)

FIELDS: Final = 5
"""Elements of a text message, and bytes of the head of a binary push."""
MAX_FIELD: Final = 255
"""Bytes of a field in a binary message: its length is one byte."""

PUSH: Final = 0
"""First byte of a binary push, the only kind that a client sends."""
REPLY: Final = 1
"""First byte of a binary reply."""
BROADCAST: Final = 2
"""First byte of a binary broadcast."""


@final
class V2JSONSerializer:
    """JSON arrays in text frames, `bytes` in binary frames (Phoenix 1.8.12 V2.JSONSerializer).

    Text is `[join_ref, ref, topic, event, payload]`, both ways; a reply has the event `phx_reply` and the payload
    `{"status", "response"}`. A binary message is one byte for its kind, one byte each for the lengths of its
    fields, then the fields, then the payload:

    - from a client, 0: join_ref, ref, topic, event
    - push, 0: join_ref, topic, event
    - reply, 1: join_ref, ref, topic, status
    - broadcast, 2: topic, event

    A field of length 0 is `""` when it comes in, as in Phoenix, and `None` goes out as one.
    """

    __slots__ = ()

    def decode(self, data: bytes, opcode: int) -> Message:
        """Read a client's array or binary push.

        An array may be longer, as in Phoenix; what comes after the payload is ignored. In JSON, of a key that
        stands twice the last wins, and an integer beyond 64 bits becomes a float.

        Raises:
            InvalidUTF8: text that is not UTF-8.
            Mistyped: topic or event is no string, a ref is neither string, number nor null; a topic or a ref has half a
                character.
            DecodeError: no JSON, no array of five; arrays and objects nested more than 200 deep; a ref of more than 255
                bytes, which no binary reply can carry; a binary message that is cut, that is no push, or whose fields
                are not UTF-8.

        """
        if opcode == BINARY:
            return _decode_binary(data)
        try:
            fields = loads(data)
        except ValueError as error:
            return decode_mended(self.decode, _addresses, data, error)
        if type(fields) is not list or len(fields) != FIELDS:
            fields = _first_five(fields, data)
        join_ref, ref, topic, event, payload = fields
        if (
            type(topic) is not str
            or type(event) is not str
            or type(ref) not in REF_TYPES
            or type(join_ref) not in REF_TYPES
        ):
            _check_size(fields, data)
            raise mistyped(data, Message(topic, event, payload, ref, join_ref))
        if len(data) > SMALL:
            _check_size(fields, data)
        return Message(topic, event, payload, ref, join_ref)

    def encode(self, message: Message | Reply) -> SocketPush:
        """Write an array for one client, or a binary message when the payload is `bytes`.

        JSON has no NaN and no infinity: they go out as null.

        Raises:
            EncodeError: the payload is no JSON (`bytes` inside it, an integer beyond 64 bits, nested more than
                about 250 deep); or a field of a binary message is longer than 255 bytes.

        """
        payload = message.payload
        if type(message) is Reply:
            if isinstance(payload, bytes):
                return _binary_reply(message, payload)
            event = "phx_reply"
            payload = {"status": message.status, "response": payload}
        else:
            if isinstance(payload, bytes):
                return _binary_push(message, payload)
            event = message.event
        fields = [message.join_ref, message.ref, message.topic, event, payload]
        try:
            return SocketPush(TEXT, dumps(fields))
        except TypeError:
            return SocketPush(TEXT, dumps_any_key(fields, message.topic, event))

    def fastlane(self, broadcast: Broadcast) -> SocketPush:
        """Write a broadcast, an array whose join_ref and ref are null, or a binary one for `bytes`.

        Raises:
            EncodeError: as for `encode`.

        """
        payload = broadcast.payload
        if isinstance(payload, bytes):
            return _binary_broadcast(broadcast, payload)
        fields = [None, None, broadcast.topic, broadcast.event, payload]
        try:
            return SocketPush(TEXT, dumps(fields))
        except TypeError:
            return SocketPush(TEXT, dumps_any_key(fields, broadcast.topic, broadcast.event))


def _check_size(fields: list[Any], data: bytes) -> None:
    """Raise DecodeError for what could not be written again: nested too deep, or a ref that binary has no room for."""
    check_depth(fields, data)
    for ref in fields[:2]:
        if len(ref_text(ref).encode()) > MAX_FIELD:
            raise DecodeError(f"a ref of more than {MAX_FIELD} bytes", data)


def _addresses(fields: list[Any]) -> tuple[object, object, object]:
    """Say where topic, ref and join_ref stand."""
    join_ref, ref, topic = fields[:3]
    return topic, ref, join_ref


def _first_five(fields: object, data: bytes) -> list[object]:
    if not isinstance(fields, list):
        raise DecodeError("not an array", data)
    if len(fields) < FIELDS:
        raise DecodeError(f"an array of {len(fields)}, not of {FIELDS} elements", data)
    return fields[:FIELDS]


def _decode_binary(data: bytes) -> Message:
    try:
        kind, join_ref, ref, topic, event = data[:FIELDS]
    except ValueError:
        raise DecodeError("a binary message without a whole head", data) from None
    if kind != PUSH:
        raise DecodeError(f"a binary message of kind {kind}, not a push (kind {PUSH})", data)
    # From lengths to the places where the fields end.
    join_ref += FIELDS
    ref += join_ref
    topic += ref
    event += topic
    if len(data) < event:
        raise DecodeError(f"a binary message cut at byte {len(data)} of its fields", data)
    try:
        return Message(
            data[ref:topic].decode(),
            data[topic:event].decode(),
            data[event:],
            data[join_ref:ref].decode(),
            data[FIELDS:join_ref].decode(),
        )
    except UnicodeDecodeError:
        raise DecodeError("a binary message with a field that is not UTF-8", data) from None


# These three are alike; one function for all of them takes three times as long.


def _binary_push(push: Message, payload: bytes) -> SocketPush:
    try:
        join_ref = ref_text(push.join_ref).encode()
        topic = push.topic.encode()
        event = push.event.encode()
        head = bytes((PUSH, len(join_ref), len(topic), len(event)))
    except ValueError:
        raise _unfit(join_ref=push.join_ref, topic=push.topic, event=push.event) from None
    return SocketPush(BINARY, b"".join((head, join_ref, topic, event, payload)))


def _binary_reply(reply: Reply, payload: bytes) -> SocketPush:
    try:
        join_ref = ref_text(reply.join_ref).encode()
        ref = ref_text(reply.ref).encode()
        topic = reply.topic.encode()
        status = reply.status.encode()
        head = bytes((REPLY, len(join_ref), len(ref), len(topic), len(status)))
    except ValueError:
        raise _unfit(join_ref=reply.join_ref, ref=reply.ref, topic=reply.topic, status=reply.status) from None
    return SocketPush(BINARY, b"".join((head, join_ref, ref, topic, status, payload)))


def _binary_broadcast(broadcast: Broadcast, payload: bytes) -> SocketPush:
    try:
        topic = broadcast.topic.encode()
        event = broadcast.event.encode()
        head = bytes((BROADCAST, len(topic), len(event)))
    except ValueError:
        raise _unfit(topic=broadcast.topic, event=broadcast.event) from None
    return SocketPush(BINARY, b"".join((head, topic, event, payload)))


def _unfit(**fields: Ref) -> EncodeError:
    """Say which field a binary message has no room for, or that one of them is no Unicode."""
    for name, field in fields.items():
        data = str(field).encode(errors="surrogatepass")
        if len(data) > MAX_FIELD:
            return EncodeError(
                f"{name} takes {len(data)} bytes, a binary message has room for {MAX_FIELD}: {data[:EXCERPT]!r}..."
            )
    return EncodeError(f"a field of a binary message is no valid Unicode: {fields!r}")
