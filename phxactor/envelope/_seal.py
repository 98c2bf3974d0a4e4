"""The frame around a message over Redis: whose it is, its number, its time, and a seal that others cannot make.

    byte 0         1: with a seal at the end; 0x81: without, from a cluster without a secret
    bytes 1 to 16  the sender: 16 random bytes, made when it starts
    bytes 17 to 24 the number of this message: the sender counts all that it sends, from 1
    bytes 25 to 32 the number of its last message on this lane; 0 where it does not say
    bytes 33 to 40 the time: milliseconds since 1970
    from 41 on     the message
    the last 16    the seal: the first half of HMAC-SHA256 over the length of the channel's name (4 bytes), that name,
                   and all bytes before the seal

Numbers are big endian. The key of the seal is derived from the secret by PBKDF2 (RFC 8018 section 5.2), as keys of
tokens are: SHA-256, the salt "phxactor cluster", 1000 iterations, 32 bytes.

The seal covers the channel, so a message cannot be taken to another one; number and time let a receiver drop what was
sent before (CL32, CL33).
"""

from __future__ import annotations

import hashlib
import hmac
from struct import Struct, error
from typing import Final, NamedTuple

from phxactor.envelope._error import EnvelopeError
from phxactor.envelope._json_form import from_json
from phxactor.envelope._message import MAX_MESSAGE_BYTES, VERSION, encode

NOBODY: Final = bytes(16)
"""The sender of a message in the JSON form, which names none."""
MIN_SECRET: Final = 20
"""The least length of a secret, in bytes, as that of a `secret_key_base`."""

_HEAD: Final = Struct(">B16sQQQ")
_LENGTH: Final = Struct(">I")
_SENDER: Final = 16
_SEAL: Final = 16
_OPEN: Final = VERSION | 0x80
_JSON: Final = ord("{")
_SALT: Final = b"phxactor cluster"
_ITERATIONS: Final = 1000
OVERHEAD: Final = _HEAD.size + _SEAL
"""Bytes of a frame that are not the message, at most."""


class Frame(NamedTuple):
    """A message, with what a receiver must know of its sender."""

    sender: bytes
    """16 bytes; `NOBODY` if it came in the JSON form."""
    number: int
    """Counts all that the sender has sent, from 1; 0 if it came in the JSON form."""
    previous: int
    """The number of the sender's last message on this lane; 0 where it does not say."""
    sent_at: int
    """Milliseconds since 1970, by the sender's clock; 0 if it came in the JSON form."""
    message: bytes
    """The encoded message."""


class Seal:
    """Makes and opens the frames of one cluster. It never shows its key.

    Without a secret, frames have no seal, and the JSON form is taken too; whoever can write to the Redis can then say
    anything to all clients. `max_bytes` is the size of a message, without its frame.
    """

    __slots__ = ("_form", "_key", "_max_bytes")

    def __init__(self, secret: str | bytes | None, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._key = None if secret is None else _derive(secret)
        self._form = _OPEN if secret is None else VERSION
        self._max_bytes = max_bytes

    def seal(self, channel: bytes, frame: Frame) -> bytes:
        """Turn a frame into the bytes to publish on this channel."""
        if len(frame.sender) != _SENDER:
            raise ValueError(f"a sender has {_SENDER} bytes, not {len(frame.sender)}")
        try:
            body = _HEAD.pack(self._form, frame.sender, frame.number, frame.previous, frame.sent_at) + frame.message
        except error:
            raise EnvelopeError("number", "numbers and times have 8 bytes, and are not negative") from None
        return body if self._key is None else body + _seal(self._key, channel, body)

    def open(self, channel: bytes, data: bytes) -> Frame:
        """Turn what came on this channel into a frame; its message is not decoded. Raises EnvelopeError."""
        if len(data) > self._max_bytes + OVERHEAD:
            raise EnvelopeError("size", f"a message has at most {self._max_bytes} bytes, and its frame has {len(data)}")
        first = data[0] if data else None
        if first != self._form:
            return self._other(first, data)
        end = len(data)
        if self._key is not None:
            end -= _SEAL
        if end < _HEAD.size:
            raise EnvelopeError("length", f"a frame of {len(data)} bytes is too short")
        if self._key is not None and not hmac.compare_digest(data[end:], _seal(self._key, channel, data[:end])):
            raise EnvelopeError("forged", "the seal is wrong: another secret, another channel, or changed bytes")
        _, sender, number, previous, sent_at = _HEAD.unpack_from(data)
        if number <= previous:
            raise EnvelopeError("number", f"a message with the number {number} after one with {previous}")
        return Frame(sender, number, previous, sent_at, data[_HEAD.size : end])

    def _other(self, first: int | None, data: bytes) -> Frame:
        if first is None:
            raise EnvelopeError("length", "an empty frame")
        if first == _JSON and self._key is None:
            return Frame(NOBODY, 0, 0, 0, encode(from_json(data, self._max_bytes), self._max_bytes))
        if first in (_JSON, _OPEN):
            raise EnvelopeError("secret", "a message without a seal, in a cluster with a secret")
        if first == VERSION:
            raise EnvelopeError("secret", "a message with a seal, in a cluster without a secret")
        raise EnvelopeError("version", f"a frame of version {first}; known is {VERSION}")


def _seal(key: bytes, channel: bytes, body: bytes) -> bytes:
    return hmac.digest(key, b"".join((_LENGTH.pack(len(channel)), channel, body)), "sha256")[:_SEAL]


def _derive(secret: str | bytes) -> bytes:
    if not isinstance(secret, str | bytes):
        raise TypeError(f"a secret is text or bytes, not {type(secret).__qualname__}")
    try:
        given = secret.encode() if isinstance(secret, str) else secret
    except UnicodeEncodeError:  # this error holds the secret
        given = b""
    if len(given) < MIN_SECRET:
        raise ValueError(f"a secret has at least {MIN_SECRET} bytes; secrets.token_urlsafe(48) makes a good one")
    return hashlib.pbkdf2_hmac("sha256", given, _SALT, _ITERATIONS, 32)
