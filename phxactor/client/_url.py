"""The URL of a socket: the address to connect to, and the target of the handshake request."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Self, TypeAlias
from urllib.parse import quote, urlsplit

import attrs

Param: TypeAlias = "str | int | float | Sequence[Param] | Mapping[str, Param]"
"""A value in `params`. A list must not hold maps or lists, since a query cannot express them."""
Params: TypeAlias = Mapping[str, Param]

VSN: Final = "2.0.0"
"""The version of Phoenix's protocol that the client speaks."""
AUTH_TOKEN_PREFIX: Final = "base64url.bearer.phx."  # noqa: S105 - the prefix of the secret
_PORTS: Final = {"ws": 80, "wss": 443}
_IN_PATHS: Final = "/%:@!$&'()*+,;=~"


@attrs.frozen
class URL:
    """The parts of a `ws:` or `wss:` URL."""

    secure: bool
    host: str
    port: int
    netloc: str
    """The value of the Host header."""
    path: str
    query: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Split a URL into its parts.

        Raises:
            ValueError: the URL is no `ws:` or `wss:` URL, or has no host, or has a user or password.

        """
        parts = urlsplit(url)
        if parts.scheme not in _PORTS:
            raise ValueError(f"a socket's URL begins with ws:// or wss://, unlike {url!r}")
        if not parts.hostname:
            raise ValueError(f"there is no host in {url!r}")
        if parts.username is not None or parts.password is not None:
            raise ValueError("a socket's URL carries no user and no password; use params, auth_token or headers")
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
        return cls(
            secure=parts.scheme == "wss",
            host=parts.hostname,
            port=port,
            netloc=parts.netloc.removesuffix(f":{_PORTS[parts.scheme]}"),
            path=quote(parts.path or "/", safe=_IN_PATHS),
            query=parts.query,
        )

    def __str__(self) -> str:
        """Return the URL without its query, which may hold a secret."""
        return f"{'wss' if self.secure else 'ws'}://{self.netloc}{self.path}"

    def target(self, params: Params) -> str:
        """Return the target of the handshake request: path, query of the URL, params and protocol version."""
        pairs = [f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in _flat(params)]
        return f"{self.path}?{'&'.join([*filter(None, [self.query]), *pairs, f'vsn={VSN}'])}"


def subprotocols(auth_token: str | None) -> list[str]:
    """Return the sub-protocols that carry a token, as in phoenix.js: in standard base64, despite the prefix's name."""
    if auth_token is None:
        return []
    return ["phoenix", AUTH_TOKEN_PREFIX + b64encode(auth_token.encode()).decode().rstrip("=")]


def _flat(params: Params) -> Iterator[tuple[str, str]]:
    for key, value in params.items():
        yield from _entries(key, value)


def _entries(key: str, value: Param) -> Iterator[tuple[str, str]]:
    match value:
        case Mapping():
            for below, nested in value.items():
                yield from _entries(f"{key}[{below}]", nested)
        case list() | tuple():
            yield from ((f"{key}[]", _text(key, one)) for one in value)
        case _:
            yield key, _text(key, value)


def _text(key: str, value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
        case _:
            raise TypeError(f"the param {key!r} is not a string, number, boolean, list or map: {value!r:.80}")
