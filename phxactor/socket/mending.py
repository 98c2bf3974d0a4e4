"""Texts with half a character in them: what `JSON.stringify` writes of a string that was cut within an emoji.

JavaScript's strings are UTF-16, so one may end with half of a pair of surrogates, which stands in JSON as an escape
(RFC 8259 section 8.2). No Unicode has it, and orjson refuses it: U+FFFD takes its place. In an event and a payload that
is all; a topic and a ref are names, and with another in its place one names something else: the answer is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from orjson import dumps

from phxactor.socket.messages import TEXT, Message
from phxactor.socket.serializer import Mistyped, not_json

Addresses: TypeAlias = Callable[[Any], tuple[object, object, object]]
"""Takes topic, ref and join_ref out of what a text is as JSON."""

REPLACEMENT: Final = "\ufffd".encode()
UNMATCHED: Final = "unmatched topic"
INVALID_REF: Final = "invalid ref"

_HALF: Final = re.compile(
    rb"\\u[dD](?:"
    rb"[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F][0-9a-fA-F]{2})"
)
_ESCAPED: Final = b"\\\\"
_MARK: Final = b"\x01"
"""In the place of two backslashes, so that those that are left begin an escape; no JSON has one as it is."""


def decode_mended(
    decode: Callable[[bytes, int], Message],
    addresses: Addresses,
    data: bytes,
    error: ValueError,
) -> Message:
    """Read a text that orjson has refused with `error`, where half a character was all that is wrong with it.

    Args:
        decode: of the serializer.
        addresses: of the serializer.
        data: the text.
        error: what orjson said.

    Raises:
        Mistyped: half a character is in the topic or a ref; or what `decode` says.
        DecodeError: it is wrong otherwise.

    """
    mended = mend(data)
    if mended == data:
        raise not_json(data, error) from None
    try:
        message = decode(mended, TEXT)
    except Mistyped as mistyped:
        _check_names(mistyped.message, addresses, data)
        raise
    _check_names(message, addresses, data)
    return message


def mend(data: bytes) -> bytes:
    """Put U+FFFD in the place of each half of a pair that stands alone; what is no JSON may come out as anything."""
    if _MARK in data or b"\\u" not in data:
        return data
    marked = data.replace(_ESCAPED, _MARK)
    return _HALF.sub(rb"\\ufffd", marked).replace(_MARK, _ESCAPED)


def _check_names(message: Message, addresses: Addresses, data: bytes) -> None:
    """Raise Mistyped for a message with half a character in its topic or a ref."""
    if REPLACEMENT not in dumps([message.topic, message.ref, message.join_ref]):
        return
    names = zip(("topic", "ref", "join_ref"), addresses(json.loads(data)), strict=True)
    broken = [name for name, value in names if _has_half(value)]
    if broken:
        refusal = UNMATCHED if "topic" in broken else INVALID_REF
        raise Mistyped(f"half a character in {' and '.join(broken)}", data, message, refusal) from None


def _has_half(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
