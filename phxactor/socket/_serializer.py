"""The interface of serializers, and their errors.

`serializer_v1` and `serializer_v2` are Phoenix's two; `versions` chooses between them. The functions here run
only when a message is wrong: they make the errors.
"""

from __future__ import annotations

from types import NoneType
from typing import Final, Protocol, runtime_checkable

from orjson import OPT_NON_STR_KEYS, dumps

from phxactor.socket._messages import Broadcast, Message, OddEvent, Ref, Reply, SocketPush

EXCERPT: Final = 80
"""Bytes of a refused message that its error shows."""

MAX_DEPTH: Final = 200
"""Levels of nested arrays and objects that a client's message may have, the message included.

orjson reads 1024 levels and writes 254. A payload that was read can be written again within another one.
"""

SMALL: Final = 255
"""Bytes of a text that cannot be nested too deeply, nor have too long a ref."""

REF_TYPES: Final[frozenset[type]] = frozenset({str, int, float, NoneType})
"""The JSON types that clients use as `ref` and `join_ref`."""

_WRITABLE: Final = 254  # deep, for orjson


@runtime_checkable
class Serializer(Protocol):
    """The wire format of one protocol version: pure functions, without state of a connection.

    A broadcast is encoded once for all sockets that share one serializer object.
    """

    def __hash__(self) -> int:
        """A serializer is a key of caches."""
        ...

    def decode(self, data: bytes, opcode: int) -> Message:
        """Read a client's message, the payload of a `TEXT` or `BINARY` frame.

        Raises:
            InvalidUTF8: a text frame that is not UTF-8.
            Mistyped: a field has a wrong type; the message is answered.
            DecodeError: anything else is wrong.

        """
        ...

    def encode(self, message: Message | Reply) -> SocketPush:
        """Write a message to one client.

        Raises:
            EncodeError: this version cannot carry it.

        """
        ...

    def fastlane(self, broadcast: Broadcast) -> SocketPush:
        """Write a broadcast, the same for every client.

        Raises:
            EncodeError: this version cannot carry it.

        """
        ...


class DecodeError(ValueError):
    """A client sent something that is no message; the connection ends with close code 1011.

    Args:
        reason: what is wrong, in words for a log line.
        data: what the client sent; the first 80 bytes are shown.

    """

    def __init__(self, reason: str, data: bytes | None = None) -> None:
        if data is not None:
            reason = f"{reason}: {data[:EXCERPT]!r}"
            if len(data) > EXCERPT:
                reason += f"... ({len(data)} bytes)"
        super().__init__(reason)


class InvalidUTF8(DecodeError):
    """A text frame is not UTF-8; the connection ends with close code 1007 (RFC 6455 section 8.1)."""


class TooComplex(DecodeError):
    """A text has more arrays and objects than `max_containers`; the connection ends with close code 1009."""


class Mistyped(DecodeError):
    """A client's message with a field of a wrong type. As in Phoenix, it is answered, and the connection goes on.

    Args:
        reason: which field, and what it is.
        data: as of DecodeError.
        message: what was sent, whatever the types of `topic`, `ref` and `join_ref` are.
        refusal: why no channel may have it; None if its topic decides.

    """

    def __init__(self, reason: str, data: bytes, message: Message, refusal: str | None = None) -> None:
        super().__init__(reason, data)
        self.message = message
        self.refusal = refusal


class EncodeError(ValueError):
    """The serializer cannot write a message; the text says which, and why."""


def not_json(data: bytes, error: ValueError) -> DecodeError:
    """Make the error for a text frame that orjson refused with `error`.

    orjson refuses invalid UTF-8 wherever it stands, but tells it apart by words alone.
    """
    try:
        data.decode()
    except UnicodeDecodeError as invalid:
        return InvalidUTF8(f"text is not UTF-8 at byte {invalid.start} ({invalid.reason})", data)
    return DecodeError(f"text is not JSON ({error})", data)


def mistyped(data: bytes, message: Message) -> Mistyped:
    """Make the error for a message of which a field is of a wrong type."""
    topic, event, ref = message.topic, message.event, message.ref
    if type(topic) is not str:
        return Mistyped(f"topic is not a string but {json_type(topic)}", data, message)
    if type(event) is not str:
        odd = OddEvent(topic, dumps(event).decode(), message.payload, ref, message.join_ref)
        return Mistyped(f"event is not a string but {json_type(event)}", data, odd)
    name, value = ("join_ref", message.join_ref) if type(ref) in REF_TYPES else ("ref", ref)
    return Mistyped(f"{name} is not a string, number or null but {json_type(value)}", data, message)


def ref_text(ref: Ref) -> str:
    """Write a ref as text, for a binary message: null is the empty text, any other value its JSON."""
    if type(ref) is str:
        return ref
    if ref is None:
        return ""
    return str(ref) if type(ref) in REF_TYPES else dumps(ref).decode()


def dumps_any_key(fields: object, topic: str, event: str) -> bytes:
    """Write JSON that may have keys that are not strings, after orjson refused it without them.

    Numbers as keys become strings, as they do in Phoenix. orjson takes twice as long when it expects them, so
    only payloads that have them pay for it.

    Raises:
        EncodeError: something else is wrong; says which message, and what orjson says of it.

    """
    try:
        return dumps(fields, option=OPT_NON_STR_KEYS)
    except TypeError as error:
        raise EncodeError(f"cannot write event {event!r} on topic {topic!r}: {error}") from error


def check_depth(fields: object, data: bytes) -> None:
    """Raise DecodeError when `fields`, which `data` was read as, are nested more than `MAX_DEPTH` deep.

    Only texts with many brackets are looked at, by writing them: that takes a quarter of the time that reading took.
    """
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return
    for _ in range(_WRITABLE - MAX_DEPTH):
        fields = [fields]
    try:
        dumps(fields)
    except TypeError:
        raise DecodeError(f"arrays and objects nested more than {MAX_DEPTH} deep", data) from None


def json_type(value: object) -> str:
    """Name the type of a payload in JSON's words, for an error."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case bytes():
            return "a binary message"
        case list():
            return "an array"
        case _:
            return "an object"
