"""Hosts and ports as URLs, `Host` and `Origin` headers write them (RFC 3986 section 3.2)."""

from __future__ import annotations

import re
from typing import Final

import attrs

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
"""The port of a URL that names none, by its scheme."""
MAX_PORT: Final = 65535

_AUTHORITY: Final = re.compile(
    r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._~!$&'()*+,;=%-]+))(?::(?P<port>[0-9]{0,5}))?"
)


HOST: Final = re.compile(_AUTHORITY.pattern, re.IGNORECASE | re.ASCII)
"""What a `Host` header may hold (RFC 9110 section 7.2)."""


@attrs.frozen
class Authority:
    """A host, in lower case and without the brackets of IPv6, and the port if one was written."""

    host: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Authority | None:
        """Read `host`, `host:port` or `[::1]:port`; `None` when it is none of these. User names are not allowed."""
        match = _AUTHORITY.fullmatch(text.lower())
        if match is None:
            return None
        port = int(match["port"]) if match["port"] else None
        if port is not None and port > MAX_PORT:
            return None
        return cls(match["v6"] or match["name"], port)
