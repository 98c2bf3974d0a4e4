"""The message of one node to others.

    byte 0      the version: 1
    byte 1      the kind
    byte 2      bytes of the scope
    bytes 3, 4  bytes of the topic
    bytes 5, 6  bytes of the event
    from 7 on   scope, topic and event in UTF-8, then the payload: the rest

Numbers are big endian. A decoder takes every kind: who has no handler for one counts and drops it, so that old nodes
live beside new ones (CL64).
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct, error
from typing import Final, NamedTuple

from phxactor.envelope._error import EnvelopeError

VERSION: Final = 1
"""The version of the format."""
MAX_MESSAGE_BYTES: Final = 1024 * 1024
"""Bytes of an encoded message at most, unless a limit is given."""
DEFAULT_SCOPE: Final = "endpoint.pubsub"
"""The name of the PubSub of an `Endpoint()` that was given no other."""

_HEAD: Final = Struct(">BBBHH")
_MAX_SCOPE: Final = 0xFF
_MAX_TEXT: Final = 0xFFFF


class Kind(IntEnum):
    """What a message is. 9 and above are free."""

    BEAT = 0
    """A node lives. The payload is JSON: its name, and how many messages it could not send so far."""
    GOODBYE = 1
    """A node leaves in order."""
    BROADCAST = 2
    """A broadcast whose payload is JSON."""
    BINARY = 3
    """A broadcast whose payload is bytes."""
    DATA = 4
    """A plain message of a PubSub, as JSON."""
    RELAY = 5
    """A request of a long poll, or the answer to one."""
    PRESENCE = 6
    """Of the tracker of a Presence to those of other nodes, as JSON."""
    TRACE = 7
    """The trace that the next broadcast of this sender to the topic belongs to. The payload is a W3C `traceparent`."""
    SIGNALS = 8
    """Signals between processes: messages, exits, links, monitors and calls (phxactor.distribution)."""


class Message(NamedTuple):
    """A message of one node to others."""

    kind: int
    """One of `Kind`, or another number of 0 to 255."""
    scope: str
    """The name of the PubSub; empty where there is none. 255 bytes at most."""
    topic: str
    """65,535 bytes at most."""
    event: str
    """65,535 bytes at most."""
    payload: bytes
    """What it holds depends on the kind."""


def lane_of(scope: str, topic: str) -> str:
    """Return the lane of a topic: what nodes that have subscribers of it watch."""
    return f"{scope}:{topic}"


def encode(message: Message, max_bytes: int = MAX_MESSAGE_BYTES) -> bytes:
    """Turn a message into bytes. Raises EnvelopeError, a ValueError, where it is too large or not text."""
    kind, scope, topic, event, payload = message
    try:
        one, two, three = scope.encode(), topic.encode(), event.encode()
    except UnicodeEncodeError:
        raise EnvelopeError("text", "half of a surrogate pair cannot become UTF-8") from None
    if len(one) > _MAX_SCOPE or len(two) > _MAX_TEXT or len(three) > _MAX_TEXT:
        raise EnvelopeError(
            "size", f"a scope has at most {_MAX_SCOPE} bytes, and topic and event {_MAX_TEXT} bytes each"
        )
    try:
        head = _HEAD.pack(VERSION, kind, len(one), len(two), len(three))
    except error:
        raise EnvelopeError("number", f"a kind is a number of 0 to 255, not {kind!r}") from None
    encoded = b"".join((head, one, two, three, payload))
    if len(encoded) > max_bytes:
        raise EnvelopeError("size", f"a message has at most {max_bytes} bytes, and this one {len(encoded)}")
    return encoded


def decode(data: bytes, max_bytes: int = MAX_MESSAGE_BYTES) -> Message:
    """Turn bytes into a message. Raises EnvelopeError for whatever is none; the payload is not looked at (CL31)."""
    if len(data) > max_bytes:
        raise EnvelopeError("size", f"a message has at most {max_bytes} bytes, and this one {len(data)}")
    if data and data[0] != VERSION:
        raise EnvelopeError("version", f"a message of version {data[0]}; known is {VERSION}")
    if len(data) < _HEAD.size:
        raise EnvelopeError("length", f"a message has at least {_HEAD.size} bytes, and this one {len(data)}")
    _, kind, scope, topic, event = _HEAD.unpack_from(data)
    one = _HEAD.size + scope
    two = one + topic
    three = two + event
    if three > len(data):
        raise EnvelopeError("length", f"scope, topic and event end at byte {three} of a message of {len(data)}")
    try:
        return Message(
            kind, data[_HEAD.size : one].decode(), data[one:two].decode(), data[two:three].decode(), data[three:]
        )
    except UnicodeDecodeError:
        raise EnvelopeError("text", "scope, topic or event is not UTF-8") from None
