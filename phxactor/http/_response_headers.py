"""The headers of a response: what they are made of, and which cannot be sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from phxactor.http._request import Headers

HeaderPairs: TypeAlias = Iterable[tuple[str | bytes, str | bytes]] | Mapping[str, str]
"""Pairs of name and value, or a mapping; text is sent as latin-1."""

_NAME: Final = re.compile(rb"[a-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile(rb"(?:[\x21-\x7e\x80-\xff](?:[\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
_TYPE: Final = b"content-type"


def check_headers(given: HeaderPairs) -> Headers:
    """Return the headers of a response. Raises ValueError or TypeError for headers that cannot be sent."""
    headers = []
    for pair in given.items() if isinstance(given, Mapping) else given:
        name, value = _pair(pair)
        name = name.lower()
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no valid header name (RFC 9110 section 5.1)")
        if name in _FRAMING:
            raise ValueError(f"the server sets the header {name.decode()}; leave it out")
        if not _VALUE.fullmatch(value):
            raise ValueError(f"{value!r} is no valid value for the header {name.decode()} (RFC 9110 section 5.5)")
        headers.append((name, value))
    return tuple(headers)


def with_type(content_type: bytes, given: HeaderPairs) -> Headers:
    """Return the headers of a response, with this content type unless they have one."""
    headers = check_headers(given)
    return headers if any(name == _TYPE for name, _ in headers) else ((_TYPE, content_type), *headers)


def _pair(pair: object) -> tuple[bytes, bytes]:
    if isinstance(pair, tuple | list) and len(pair) == 2 and all(isinstance(part, str | bytes) for part in pair):  # noqa: PLR2004
        name, value = (part.encode("latin-1") if isinstance(part, str) else part for part in pair)
        return name, value
    raise TypeError(f"headers must be pairs of name and value, or a mapping; got {pair!r:.100}")
