"""Phoenix's serializer for `vsn=2.0.0`, the version of phoenix.js."""

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
"""Most bytes of a field in a binary message: its length is one byte."""

PUSH: Final = 0
"""First byte of a binary push, the only kind of binary message that clients send."""
REPLY: Final = 1
"""First byte of a binary reply."""
BROADCAST: Final = 2
"""First byte of a binary broadcast."""


@final
class V2JSONSerializer:
    """JSON arrays in text frames, `bytes` in binary frames (Phoenix 1.8.12 V2.JSONSerializer).

    A text message is `[join_ref, ref, topic, event, payload]` in both directions; a reply has the event `phx_reply` and
    the payload `{"status", "response"}`. A binary message has one byte for its kind, one byte for the length of each
    field, the fields, and the payload. The kinds and their fields:

    - from a client, 0: join_ref, ref, topic, event
    - push, 0: join_ref, topic, event
    - reply, 1: join_ref, ref, topic, status
    - broadcast, 2: topic, event

    A received field of length 0 is `""`, as in Phoenix; None is sent as a field of length 0.
    """

    __slots__ = ()

    def decode(self, data: bytes, opcode: int) -> Message:
        """Decode a client's array or binary push.

        Elements after the payload are ignored, as in Phoenix. If a JSON object has a key twice, the last one wins; an
        integer beyond 64 bits becomes a float.

        Raises:
            InvalidUTF8: a text message is not UTF-8.
            Mistyped: the topic or the event is no string; a ref is no string, number or null; or a topic or a ref has
                half a surrogate pair.
            DecodeError: the text is no JSON, or no array of at least five; arrays and objects are nested more than 200
                deep; a ref has more than 255 bytes, which no binary reply can carry; or a binary message is cut, is no
                push, or has a field that is not UTF-8.

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
        """Encode a message for one client: an array, or a binary message if the payload is `bytes`.

        JSON has no NaN and no infinity; they become null.

        Raises:
            EncodeError: JSON cannot hold the payload (it has `bytes` inside, or an integer beyond 64 bits, or is nested
                more than about 250 deep); or a field of a binary message is longer than 255 bytes.

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
        """Encode a broadcast: an array whose join_ref and ref are null, or a binary message if the payload is `bytes`.

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
    """Raise DecodeError for a message that the server could not encode in turn: nested too deep, or a ref too long."""
    check_depth(fields, data)
    for ref in fields[:2]:
        if len(ref_text(ref).encode()) > MAX_FIELD:
            raise DecodeError(f"the message has a ref of more than {MAX_FIELD} bytes", data)


def _addresses(fields: list[Any]) -> tuple[object, object, object]:
    """Return the topic, ref and join_ref of an array."""
    join_ref, ref, topic = fields[:3]
    return topic, ref, join_ref


def _first_five(fields: object, data: bytes) -> list[object]:
    if not isinstance(fields, list):
        raise DecodeError("the message is not an array", data)
    if len(fields) < FIELDS:
        raise DecodeError(f"the array has {len(fields)} elements, not {FIELDS}", data)
    return fields[:FIELDS]


def _decode_binary(data: bytes) -> Message:
    try:
        kind, join_ref, ref, topic, event = data[:FIELDS]
    except ValueError:
        raise DecodeError(f"the binary message is shorter than its head of {FIELDS} bytes", data) from None
    if kind != PUSH:
        raise DecodeError(f"the binary message has kind {kind}; clients must send a push (kind {PUSH})", data)
    # Turn the lengths of the fields into the offsets of their ends.
    join_ref += FIELDS
    ref += join_ref
    topic += ref
    event += topic
    if len(data) < event:
        raise DecodeError(f"the binary message ends at byte {len(data)}, inside its fields", data)
    try:
        return Message(
            data[ref:topic].decode(),
            data[topic:event].decode(),
            data[event:],
            data[join_ref:ref].decode(),
            data[FIELDS:join_ref].decode(),
        )
    except UnicodeDecodeError:
        raise DecodeError("the binary message has a field that is not UTF-8", data) from None


# These three functions are alike; one function for all of them would be much slower.


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
    """Return the error for a field that is too long for a binary message, or that is no valid Unicode."""
    for name, field in fields.items():
        data = str(field).encode(errors="surrogatepass")
        if len(data) > MAX_FIELD:
            return EncodeError(
                f"{name} has {len(data)} bytes; a binary message has room for {MAX_FIELD}: {data[:EXCERPT]!r}..."
            )
    return EncodeError(f"a field of a binary message is no valid Unicode: {fields!r}")
