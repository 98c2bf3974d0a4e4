"""The `connect_info` that a socket's `connect` receives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypedDict, assert_never

from phxactor.http import (
    DEFAULT_PORTS,
    Authority,
    CookieSession,
    Request,
    Session,
    SessionMapping,
    SessionOptions,
)
from phxactor.http import session_of as phoenix_session_of
from phxactor.token import Secret
from phxactor.transport import AUTH_TOKEN_PREFIX, ConnectInfoKey, SocketOptions

_TRACE_CONTEXT: Final = (b"traceparent", b"tracestate")


class URI(TypedDict):
    """The fields of Elixir's `URI` that a request fills."""

    scheme: str
    host: str
    port: int
    path: str
    query: str


def connect_info(request: Request, options: SocketOptions, auth_token: str | None) -> dict[str, object]:
    """Return the values that `options.connect_info` names; with `options.auth_token`, the token too (Phoenix 1.8.12).

    - `peer_data`: `{"address": ..., "port": ...}` of the client: the peer of the connection, or, if
      that is one of the endpoint's `trusted_proxies`, the address by its word, with port 0 if it tells none;
    - `uri`: see `URI`; the host is empty when the client sent none. A trusted proxy tells scheme and host too;
    - `user_agent`: the header, or `None`;
    - `x_headers`, `sec_websocket_headers`: pairs of name and value of the headers whose names begin with `x-`, or
      with `sec-websocket-`. They are as they came: a client may have written them, `x-forwarded-for` among them;
    - `trace_context_headers`: the same for `traceparent` and `tracestate`;
    - `auth_token`: the token that came with the handshake, or `None`;
    - `cookies`: the values of the cookies by name, without names that came with two different values. Its `repr` shows
      the names only;
    - `request`: the `Request` of the handshake itself.
    """
    keys = options.connect_info
    if options.auth_token:
        keys = (*keys, "auth_token")
    return {key: _value(key, request, auth_token) for key in keys}


async def session_of(
    request: Request, options: SessionOptions | CookieSession, secret: Secret
) -> Session | SessionMapping | None:
    """Return the session of a request; `secret` is the key that a Phoenix application signs with.

    It is None if there is no valid session, or if the client does not send the CSRF token of a Phoenix session. Raises
    what the function of a `CookieSession` raises.
    """
    if isinstance(options, SessionOptions):
        return phoenix_session_of(request, options, secret)
    return await options.session_of(request)


class Cookies(Mapping[str, str]):
    """The cookies of a request. They are secrets, so only their names are shown."""

    def __init__(self, cookies: Mapping[str, str]) -> None:
        self._cookies = cookies

    def __getitem__(self, name: str) -> str:
        return self._cookies[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._cookies)

    def __len__(self) -> int:
        return len(self._cookies)

    def __repr__(self) -> str:
        return f"<cookies {', '.join(map(repr, self._cookies))}>" if self._cookies else "<no cookies>"


def _value(key: ConnectInfoKey, request: Request, auth_token: str | None) -> object:
    match key:
        case "peer_data":
            return {"address": request.peer.address, "port": request.peer.port}
        case "uri":
            return _uri(request)
        case "user_agent":
            return request.header("user-agent")
        case "x_headers":
            return _pairs([pair for pair in request.headers if pair[0].startswith(b"x-")])
        case "trace_context_headers":
            return _pairs([pair for pair in request.headers if pair[0] in _TRACE_CONTEXT])
        case "sec_websocket_headers":
            return _pairs([pair for pair in request.headers if pair[0].startswith(b"sec-websocket-")])
        case "auth_token":
            return auth_token
        case "cookies":
            return Cookies(request.cookies)
        case "request":
            return request
        case _:
            assert_never(key)


def _pairs(headers: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [_without_token(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _without_token(name: str, value: str) -> tuple[str, str]:
    """Remove the auth token from the list of subprotocols, as Phoenix does: `connect` gets it as `auth_token` only."""
    if name == "sec-websocket-protocol" and AUTH_TOKEN_PREFIX in value:
        offered = [part.strip() for part in value.split(",")]
        value = ", ".join(part for part in offered if not part.startswith(AUTH_TOKEN_PREFIX))
    return name, value


def _uri(request: Request) -> URI:
    authority = Authority.parse(request.authority or "") or Authority("")
    return {
        "scheme": request.scheme,
        "host": authority.host,
        "port": authority.port or DEFAULT_PORTS[request.scheme],
        "path": request.raw_path,
        "query": request.query,
    }
