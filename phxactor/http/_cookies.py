"""The cookies of a request, read from its `Cookie` headers.

`http.cookies.SimpleCookie` stops at the first odd cookie, and loses all cookies behind it. Any page of the same site
can set an odd cookie, so this parser drops only that cookie.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

COOKIE_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""The names that a cookie may have (RFC 6265 section 4.1.1)."""

_ESCAPE: Final = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))", re.DOTALL)


def parse_cookies(headers: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Return the values of a request's cookies by name.

    - A semicolon ends each cookie (RFC 6265 section 5.4). Spaces around a name and a value do not count.
    - A pair without `=` or without a name, and a pair that is not UTF-8, are dropped. The other cookies stay.
    - A value in double quotes is unquoted, also its escapes, since Python's libraries write such values.
    - A name that comes with two different values is dropped: no order tells which value the server has set, and the
      other value may be an attacker's on a subdomain.

    Args:
        headers: names in lower case and values, as `Request.headers`. HTTP/2 proxies may send several `cookie` headers.

    """
    found: dict[str, str] = {}
    ambiguous = set()
    for header, line in headers:
        if header != b"cookie":
            continue
        for pair in line.split(b";"):
            name, equals, value = pair.partition(b"=")
            try:
                key, text = name.strip(b" \t").decode(), _unquoted(value.strip(b" \t").decode())
            except UnicodeDecodeError:
                continue
            if not (equals and key):
                continue
            if found.setdefault(key, text) != text:
                ambiguous.add(key)
    for key in ambiguous:
        del found[key]
    return MappingProxyType(found)


def _unquoted(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':  # noqa: PLR2004 - two quotes
        return value
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)) if found[1] else found[2], value[1:-1])
