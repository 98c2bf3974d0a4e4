"""What two nodes say to one another about the requests of a long-poll session, each as a message of kind `RELAY`.

The scope of the message is the endpoint's name, its topic the session's id, its event the verb. Its payload:

    bytes 0 to 7     the number that the asking node gave the request
    bytes 8 to 15    the value: a size, a status, or 0 or 1
    from 16 on       data

Numbers are big endian. All of it is pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from struct import Struct, error
from typing import Final

import attrs

from phxactor.envelope import EnvelopeError, Kind, Message

CHUNK: Final = 256 * 1024
"""Bytes of data in one frame, at most."""
_HEAD: Final = Struct(">QQ")
_LENGTH: Final = Struct(">I")


class Verb(Enum):
    """What a frame says; behind each verb, what its value and its data are."""

    # from the node that a request has come to, to the node of the session:
    POLL = "poll"
    """A poll. Data: the path."""
    PUBLISH = "publish"
    """A publish request whose body is one message. Value: the most bytes that the body can have. Data: the path."""
    PUBLISH_LINES = "publish_lines"
    """The same with a message on each line."""
    BODY = "body"
    """A part of that body. Value: whether it is the last."""
    GAVE_UP = "gave_up"
    """The client of a publish request has left."""
    ARRIVED = "arrived"
    """The client's system has acknowledged the answer to a poll; a reset may still show that it was not read."""
    SETTLED = "settled"
    """The answer to a poll has arrived (value 1), or never will (0)."""
    END = "end"
    """A client of the session was told that it is gone: end it. Data: the path."""
    UNKNOWN = "unknown"
    """The answer to `HURRY` if the poll is not known any more."""

    # from the node of the session:
    ANSWER = "answer"
    """A part of a poll's messages, as `join_messages` makes them. Value: whether it is the last."""
    STATUS = "status"
    """The request is over. Value: the status for the client."""
    ROOM = "room"
    """The session has room for the body of the publish request."""
    HURRY = "hurry"
    """The client polls again: give the answer up, as `Poll.hurry` does."""

    # both ways:
    ACK = "ack"
    """Data has come. Value: how many bytes, since the last `ACK`."""
    MISSED = "missed"
    """The sender may have missed requests or answers of the receiver."""
    RESET = "reset"
    """The sender begins anew: it has forgotten all requests from and to the receiver."""


@attrs.frozen
class Frame:
    """One thing that a node says."""

    verb: Verb
    number: int = 0
    session: str = ""
    """The id of the session, where a request begins; else empty."""
    value: int = 0
    data: bytes = attrs.field(default=b"", repr=False)


def to_message(frame: Frame, scope: str) -> Message:
    """Return the message that carries a frame; `scope` is the endpoint's name."""
    payload = _HEAD.pack(frame.number, frame.value) + frame.data
    return Message(Kind.RELAY, scope, frame.session, frame.verb.value, payload)


def from_message(message: Message) -> Frame:
    """Return the frame in a message of kind `RELAY`. Raises EnvelopeError if there is none (CL31)."""
    try:
        verb = Verb(message.event)
        number, value = _HEAD.unpack_from(message.payload)
    except (ValueError, error):
        raise EnvelopeError("length", f"no frame of a relay: {message.event!r:.40}") from None
    if len(message.payload) - _HEAD.size > CHUNK:
        raise EnvelopeError("size", f"a frame of a relay has at most {CHUNK} bytes")
    return Frame(verb, number, message.topic, value, message.payload[_HEAD.size :])


def join_messages(messages: Iterable[bytes]) -> bytes:
    """Join messages: before each, its length in 4 bytes."""
    return b"".join([part for message in messages for part in (_LENGTH.pack(len(message)), message)])


def split_messages(joined: bytes) -> list[bytes]:
    """Undo `join_messages`. Raises EnvelopeError if the bytes are not joined messages."""
    messages, position = [], 0
    while position < len(joined):
        start = position + _LENGTH.size
        if start > len(joined):
            raise EnvelopeError("length", "the length of a message is cut off")
        (length,) = _LENGTH.unpack_from(joined, position)
        position = start + length
        if position > len(joined):
            raise EnvelopeError("length", "a message is cut off")
        messages.append(joined[start:position])
    return messages
