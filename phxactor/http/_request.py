"""A request as handlers and transports see it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote_to_bytes

import attrs

from phxactor.http._authority import HOST
from phxactor.http._params import Params, decode

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""Names in lower case, and values, in the order in which they came."""

_ABSOLUTE: Final = re.compile(r"https?://(?P<authority>[^/?#]+)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)


@attrs.frozen
class PeerData:
    """The address that a connection comes from: the client's, or its proxy's; `local` and 0 by a Unix socket."""

    address: str
    port: int

    def __str__(self) -> str:
        """Write it for the log."""
        if not self.port:
            return self.address
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@lru_cache(256)  # it is programs that ask, not strangers
def _key(name: str) -> bytes:
    return name.lower().encode("latin-1")


@attrs.frozen
class Request:
    """An HTTP request, whole.

    Raises:
        ValueError: the target is neither a path, nor an `http` or `https` URL, nor `*`; its path is not UTF-8; a host
            is none.

    """

    method: str
    """In upper case, as all methods are that HTTP knows."""
    target: str = attrs.field(repr=False)  # may hold a token
    """What stood in the request line, unchanged: most often a path and a query (RFC 9112 section 3.2)."""
    headers: Headers = attrs.field(default=(), repr=False)
    body: bytes = attrs.field(default=b"", repr=False)
    peer: PeerData = attrs.field(kw_only=True)
    scheme: Literal["http", "https"] = attrs.field(default="http", kw_only=True)
    http_version: str = attrs.field(default="1.1", kw_only=True)
    path_params: Mapping[str, str] = attrs.field(factory=dict, kw_only=True)
    """What stood in place of the `{name}` segments of the route that was taken."""
    _fields: dict[bytes, bytes] = attrs.field(init=False, repr=False, eq=False)
    """The headers by name; a handshake alone asks for eight."""
    authority: str | None = attrs.field(init=False, repr=False)
    """The host, and the port if given, that the client meant: from the target, else the `Host` header."""
    raw_path: str = attrs.field(init=False, repr=False)
    """The path as it was sent."""
    path: str = attrs.field(init=False)
    """The path, percent-decoded: an encoded slash is a slash."""
    query: str = attrs.field(init=False, repr=False)
    """What followed the `?`, as it was sent; may be empty. A `#` ends it, for a fragment is nothing to a server."""

    @_fields.default
    def _by_name(self) -> dict[bytes, bytes]:
        fields = dict(self.headers)
        if len(fields) != len(self.headers):
            fields.clear()
            for name, value in self.headers:
                fields[name] = b", ".join((fields[name], value)) if name in fields else value
        return fields

    @authority.default
    def _authority(self) -> str | None:
        host = self.header("host")
        if host and HOST.fullmatch(host) is None:
            raise ValueError("the Host header is no host with or without a port")
        absolute = None if self.target.startswith("/") else _ABSOLUTE.fullmatch(self.target)
        if absolute is None:
            return host
        if HOST.fullmatch(absolute["authority"]) is None:
            raise ValueError("the request target names no host")
        return absolute["authority"]  # RFC 9112 section 3.2.2: the URL wins

    @raw_path.default
    def _raw_path(self) -> str:
        absolute = None if self.target.startswith("/") else _ABSOLUTE.fullmatch(self.target)
        path = (absolute["rest"] if absolute else self.target).partition("#")[0].partition("?")[0]
        if absolute and not path:
            return "/"
        if path.startswith("/") or self.target == "*":
            return path
        raise ValueError("the request target is neither a path nor a URL")

    @path.default
    def _path(self) -> str:
        if "%" not in self.raw_path:
            return self.raw_path
        try:
            return unquote_to_bytes(self.raw_path).decode()
        except UnicodeDecodeError:
            raise ValueError("the path is not UTF-8") from None

    @query.default
    def _query(self) -> str:
        return self.target.partition("#")[0].partition("?")[2]

    def header(self, name: str) -> str | None:
        """Return a header's value, as latin-1, or `None`; several of one name are joined by commas (RFC 9110 5.3)."""
        value = self._fields.get(_key(name))
        return None if value is None else value.decode("latin-1")

    @cached_property
    def params(self) -> Params:
        """The query, decoded as Plug does; see `phxactor.http._params`.

        Raises:
            BadParams: it cannot be decoded.

        """
        return decode(self.query)
