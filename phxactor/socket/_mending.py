"""Mends texts with half a character: what `JSON.stringify` writes for a string that was cut within an emoji.

JavaScript's strings are UTF-16, so a string may end with half of a surrogate pair. JSON writes it as an escape (RFC
8259 section 8.2). Unicode text cannot hold it, and orjson refuses it. In events and payloads U+FFFD replaces it. A
topic or a ref is a name, and another character would make it another name: such a message is answered with an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from orjson import dumps

from phxactor.socket._messages import TEXT, Message
from phxactor.socket._serializer import Mistyped, not_json

Addresses: TypeAlias = Callable[[Any], tuple[object, object, object]]
"""Returns topic, ref and join_ref of a decoded text."""

REPLACEMENT: Final = "\ufffd".encode()
UNMATCHED: Final = "unmatched topic"
INVALID_REF: Final = "invalid ref"

_HALF: Final = re.compile(
    rb"\\u[dD](?:"
    rb"[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F][0-9a-fA-F]{2})"
)
_REPLACED: Final = re.compile(rb"\xef\xbf\xbd|\\u[fF]{3}[dD]")
"""U+FFFD in a text, or its escape."""
_LARGE: Final = 65536
_ESCAPED: Final = b"\\\\"
_MARK: Final = b"\x01"
"""Replaces two backslashes, so that every backslash left begins an escape. JSON never has this byte unescaped."""


def decode_mended(
    decode: Callable[[bytes, int], Message],
    addresses: Addresses,
    data: bytes,
    error: ValueError,
) -> Message:
    """Decode a text that orjson has refused with `error`, if only half a character is wrong with it.

    Args:
        decode: of the serializer.
        addresses: of the serializer.
        data: the text.
        error: what orjson said.

    Raises:
        Mistyped: half a character is in the topic or a ref; or `decode` raises it.
        DecodeError: anything else is wrong.

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
    """Replace each lone half of a surrogate pair by U+FFFD. Text that is no JSON may come out as anything."""
    if _MARK in data or b"\\u" not in data:
        return data
    marked = data.replace(_ESCAPED, _MARK)
    return _HALF.sub(rb"\\ufffd", marked).replace(_MARK, _ESCAPED)


def _check_names(message: Message, addresses: Addresses, data: bytes) -> None:
    """Raise Mistyped for a message with half a character in its topic or a ref.

    U+FFFD there counts as half a character in a text of more than `_LARGE` bytes: to read it again would take long.
    """
    values = {"topic": message.topic, "ref": message.ref, "join_ref": message.join_ref}
    broken = [name for name, value in values.items() if REPLACEMENT in dumps(value)]
    if broken and len(data) <= _LARGE and _REPLACED.search(data):  # else no U+FFFD was sent as such
        names = zip(values, addresses(json.loads(data)), strict=True)
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
