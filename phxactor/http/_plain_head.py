"""A fast parser for plain upgrade requests in the first bytes of a connection.

A request is *plain* when its whole head has arrived in one read, is a GET of HTTP/1.1 that asks for an upgrade, and
has only one possible reading. Nearly all clients connect with one. A regular expression parses it, much faster than
h11. Any other head goes to h11 whole, which decides what is valid HTTP.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from phxactor.http._request import PeerData, Request

MAX_PLAIN: Final = 8192
"""Most bytes of a plain head."""
MAX_HEADERS: Final = 50
"""Most headers of a plain head."""

_HEAD: Final = re.compile(
    rb"GET (?P<target>/[\x21-\x7e]*) HTTP/1\.1\r\n"
    rb"(?P<headers>(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)+)\r\n"
)
_OTHERWISE: Final = frozenset({b"content-length", b"transfer-encoding", b"expect"})
"""Headers of a request that has a body, or that asks whether to send one (Expect: 100-continue)."""


def plain_upgrade(data: bytes, peer: PeerData, scheme: Literal["http", "https"]) -> tuple[Request, bytes] | None:
    """Return a plain upgrade request and the bytes behind it; None if h11 must parse the head."""
    match = _HEAD.match(data, 0, MAX_PLAIN)
    if match is None:
        return None
    headers = []
    for line in match["headers"].split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        headers.append((name.lower(), value.strip(b" \t")))
    names = [name for name, _ in headers]
    if len(names) > MAX_HEADERS or names.count(b"host") != 1 or b"upgrade" not in names:
        return None
    if not _OTHERWISE.isdisjoint(names):
        return None
    try:
        request = Request("GET", match["target"].decode(), tuple(headers), peer=peer, scheme=scheme)
    except ValueError:
        return None
    return request, data[match.end() :]
