"""An HTTP request, for handlers and transports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote_to_bytes

import attrs

from phxactor.http._authority import HOST
from phxactor.http._body import JSON, MAX_FORM, MAX_JSON, decode_form, decode_json
from phxactor.http._cookies import parse_cookies
from phxactor.http._params import Params, decode

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""Pairs of a name in lower case and a value, in the order of the request."""

_ABSOLUTE: Final = re.compile(r"https?://(?P<authority>[^/?#]+)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)


@attrs.frozen
class PeerData:
    """The address of a connection's peer: the client, or its proxy; `local` and 0 for a Unix socket."""

    address: str
    port: int

    def __str__(self) -> str:
        """Write the address for the log."""
        if not self.port:
            return self.address
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


LOCAL: Final = PeerData("local", 0)
"""The peer of every Unix socket connection: a process of this machine, mostly a proxy."""


@lru_cache(256)  # the names come from programs, not from clients
def _key(name: str) -> bytes:
    return name.lower().encode("latin-1")


@attrs.frozen
class Request:
    """An HTTP request with its body.

    Raises:
        ValueError: the target is neither a path, nor an `http` or `https` URL, nor `*`; its path is not UTF-8; the host
            is not valid.

    """

    method: str
    """The method as it was sent; HTTP's methods are in upper case."""
    target: str = attrs.field(repr=False)  # may hold a token
    """The target in the request line, unchanged: nearly always a path and a query (RFC 9112 section 3.2)."""
    headers: Headers = attrs.field(default=(), repr=False)
    body: bytes = attrs.field(default=b"", repr=False)
    peer: PeerData = attrs.field(kw_only=True)
    scheme: Literal["http", "https"] = attrs.field(default="http", kw_only=True)
    http_version: str = attrs.field(default="1.1", kw_only=True)
    path_params: Mapping[str, str] = attrs.field(factory=dict, kw_only=True)
    """The texts that the `{name}` segments of the route matched, by name."""
    proxy: PeerData | None = attrs.field(default=None, kw_only=True)
    """The trusted proxy that forwarded the request, and whose word the `peer` is; None for a direct connection."""
    _fields: dict[bytes, bytes] = attrs.field(init=False, repr=False, eq=False)
    """The headers by name, for fast lookups."""
    authority: str | None = attrs.field(init=False, repr=False)
    """The requested host, with a port if given: from the target if it is a URL, else from the `Host` header."""
    raw_path: str = attrs.field(init=False, repr=False)
    """The path as it was sent."""
    path: str = attrs.field(init=False)
    """The percent-decoded path; an encoded slash becomes a slash."""
    query: str = attrs.field(init=False, repr=False)
    """The text after the `?`, as it was sent; may be empty. A `#` and the text after it are dropped."""

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
            raise ValueError("the Host header must be a host, with or without a port")
        absolute = None if self.target.startswith("/") else _ABSOLUTE.fullmatch(self.target)
        if absolute is None:
            return host
        if HOST.fullmatch(absolute["authority"]) is None:
            raise ValueError("the URL in the request target has no valid host")
        return absolute["authority"]  # the URL overrides the header (RFC 9112 section 3.2.2)

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
        """Return a header's value as latin-1, or None; commas join headers of one name (RFC 9110 section 5.3)."""
        value = self._fields.get(_key(name))
        return None if value is None else value.decode("latin-1")

    @cached_property
    def params(self) -> Params:
        """The query, decoded as Plug does; see `phxactor.http._params`.

        Raises:
            BadParams: it cannot be decoded.

        """
        return decode(self.query)

    def form(self, *, max_bytes: int = MAX_FORM) -> Params:
        """Decode the body of an HTML form, as `params` does with the query.

        The form must come as `application/x-www-form-urlencoded`, as a `<form method="post">` sends it. Files and other
        `multipart/form-data` are refused.

        Args:
            max_bytes: limit for the body, by default 1 MiB.

        Raises:
            RequestError: the content type is another one (415), the body is longer (413), or it cannot be decoded
                (400). A handler that does not catch it answers so.

        """
        return decode_form(self.header("content-type"), self.body, max_bytes)

    def json(self, *, max_bytes: int = MAX_JSON) -> JSON:
        """Decode a body of JSON.

        The content type must be `application/json`, or another of JSON such as `application/ld+json`.

        Args:
            max_bytes: limit for the body, by default 1 MiB. Decoded, a body may take 40 times as much memory.

        Raises:
            RequestError: the content type is another one (415), the body is longer (413), or it is not JSON (400). A
                handler that does not catch it answers so.

        """
        return decode_json(self.header("content-type"), self.body, max_bytes)

    @cached_property
    def cookies(self) -> Mapping[str, str]:
        """The values of the cookies by name; see `parse_cookies` for odd and ambiguous ones."""
        return parse_cookies(self.headers)
