"""Hosts with ports, as in URLs and in the headers `Host` and `Origin` (RFC 3986 section 3.2)."""

from __future__ import annotations

import re
from typing import Final

import attrs

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
"""The port of a URL without a port, by its scheme."""
MAX_PORT: Final = 65535

_AUTHORITY: Final = re.compile(
    r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._~!$&'()*+,;=%-]+))(?::(?P<port>[0-9]{0,5}))?"
)


HOST: Final = re.compile(_AUTHORITY.pattern, re.IGNORECASE | re.ASCII)
"""A valid `Host` header (RFC 9110 section 7.2)."""


@attrs.frozen
class Authority:
    """A host, in lower case and without the brackets of an IPv6 address, and a port; None if no port was given."""

    host: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Authority | None:
        """Parse `host`, `host:port` or `[::1]:port`; return None for anything else. User names are not allowed."""
        match = _AUTHORITY.fullmatch(text.lower())
        if match is None:
            return None
        port = int(match["port"]) if match["port"] else None
        if port is not None and port > MAX_PORT:
            return None
        return cls(match["v6"] or match["name"], port)
