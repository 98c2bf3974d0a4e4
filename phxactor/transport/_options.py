"""Options of a socket's transports, checked when they are given."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, Literal, TypeAlias, get_args

import attrs

from phxactor import _checks as check
from phxactor.http import CheckOrigin, CookieSession, OriginCheck, Request, Response, SessionOptions
from phxactor.socket import LEVELS, PHOENIX, Requirement, Serializer, Serializers, versioned

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
"""The level of a log line."""

SlowConsumer: TypeAlias = Literal["close", "drop"]
"""The policy for a client that reads too slowly; see `SocketOptions.slow_consumer`."""

ConnectInfoKey: TypeAlias = Literal[
    "peer_data",
    "uri",
    "user_agent",
    "x_headers",
    "trace_context_headers",
    "sec_websocket_headers",
    "auth_token",
    "cookies",
    "request",
]
"""A value that `connect` can get about a connection; `phxactor.endpoint._connect_info` describes each."""

ErrorHandler: TypeAlias = Callable[[Request, object], Response]
"""A function from a request that `connect` refused, and the reason, to the response."""

_CONNECT_INFO_KEYS: Final = get_args(ConnectInfoKey)
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def _level(_: object, field: attrs.Attribute[LogLevel | Literal[False]], value: object) -> None:
    check.choice(field.name, value, (*LEVELS, False))


def _slow_consumer(_: object, field: attrs.Attribute[SlowConsumer], value: object) -> None:
    check.choice(field.name, value, get_args(SlowConsumer))


def _sweep_after(_: object, field: attrs.Attribute[int | None], value: object) -> None:
    if value is not None:
        check.whole(field.name, value, 0)


def _subprotocols(given: Iterable[str]) -> tuple[str, ...]:
    names = check.listed("subprotocols", given)
    for name in names:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"subprotocols must be tokens (RFC 9110 section 5.6.2), such as 'ref.v1'; got {name!r}")
    return names


def _connect_info(given: Iterable[ConnectInfoKey]) -> tuple[ConnectInfoKey, ...]:
    keys = check.listed("connect_info", given)
    for key in keys:
        if key not in _CONNECT_INFO_KEYS:
            raise ValueError(
                f"{key!r} in connect_info is unknown; give any of {', '.join(_CONNECT_INFO_KEYS)}; "
                "for the session, give the option session=SessionOptions(...) or session=CookieSession(...)"
            )
    return keys


def _check_origin(given: CheckOrigin | OriginCheck) -> OriginCheck:
    return given if isinstance(given, OriginCheck) else OriginCheck(given)


def _session(
    options: SocketOptions, _: attrs.Attribute[SessionOptions | CookieSession | None], session: object
) -> None:
    if not (session is None or isinstance(session, SessionOptions | CookieSession)):
        raise TypeError(f"session must be SessionOptions(...), CookieSession(...) or None; got {session!r}")
    if isinstance(session, CookieSession) and options.check_origin == OriginCheck(rule=False):
        raise ValueError(
            "session=CookieSession(...) with check_origin=False lets any web page connect with its visitor's session; "
            "give check_origin a list of origins"
        )


def _serializers(given: Iterable[tuple[Serializer, str | Requirement]] | None) -> Serializers:
    return PHOENIX if given is None else versioned(given)


@attrs.frozen(kw_only=True)
class SocketOptions:
    """The options of both transports, WebSocket and long polling."""

    check_origin: OriginCheck = attrs.field(default=OriginCheck(rule=True), converter=_check_origin)
    """The pages that may connect: `True` for pages of the same host, `False` for all, a list of origins, or a function.

    See `phxactor.http._origin.OriginCheck`.
    """
    auth_token: bool = attrs.field(default=False, validator=check.validator(check.flag))
    """Whether `connect` gets the token that phoenix.js sends as its `authToken`.

    On a WebSocket the token comes as a subprotocol, and the server then accepts the subprotocol `phoenix` too. On a
    long poll it comes in the header `X-Phoenix-AuthToken`.
    """
    connect_info: tuple[ConnectInfoKey, ...] = attrs.field(default=(), converter=_connect_info)
    """The values that `connect` gets about the connection."""
    session: SessionOptions | CookieSession | None = attrs.field(default=None, validator=_session)
    """How an application keeps its sessions: with it, `connect` gets the browser's session, or None.

    `SessionOptions` is for a Phoenix application; the endpoint needs its `secret_key_base`. `CookieSession` is for any
    other; it is refused together with `check_origin=False`, which would let every web page use its visitor's session.
    """
    serializers: Serializers = attrs.field(default=None, converter=_serializers)
    """The serializers by version, as `[(serializer, "~> 2.0.0"), ...]`; by default Phoenix's V1 and V2."""
    max_channels: int = attrs.field(default=100, validator=check.validator(check.whole))
    """Limit for the joined channels of one connection."""
    join_timeout: float = attrs.field(default=30.0, validator=check.validator(check.seconds))
    """Seconds that a channel has to answer a join; after that the channel is ended. `math.inf` for no limit."""
    connect_timeout: float = attrs.field(default=30.0, validator=check.validator(check.seconds))
    """Seconds that `connect`, or a raw socket's `init`, may take before the client is refused; `math.inf` for no limit.

    The answer is 503 on a WebSocket, and 500 on a long poll; phoenix.js tries again after both. If the client leaves
    meanwhile, `connect` is cancelled at once.
    """
    max_input_bytes: int = attrs.field(default=8 * 1024 * 1024, validator=check.validator(check.whole))
    """Limit for a client's messages that wait for its channels, in bytes of memory; over it the server stops reading.

    An unhandled message counts for the most memory that it can take: one of up to 255 bytes counts for 10.7 KB. A
    message that alone is over the limit is handled when no other waits. A socket without channels has 64 KiB.
    """
    max_containers: int | None = attrs.field(default=65_536, validator=check.validator(check.optional(check.whole)))
    """Limit for the arrays and objects in one message; one with more closes with 1009, and ends a long poll with 400.

    All clients wait while a message is decoded: so many take up to 20 ms. None for no limit. Phoenix has no limit.
    """
    max_output_bytes: int = attrs.field(default=4 * 1024 * 1024, validator=check.validator(check.whole))
    """Limit for output that waits for a client, in bytes; over it the client is a slow consumer."""
    slow_consumer: SlowConsumer = attrs.field(default="close", validator=_slow_consumer)
    """The policy for slow consumers: `"close"` disconnects a client over `max_output_bytes`, with 1013.

    With `"drop"`, broadcasts to the client are dropped while more than half of `max_output_bytes` waits. Replies and
    pushes of its channels are not dropped; if they exceed the limit, the client is disconnected too.
    """
    max_messages_per_second: float | None = attrs.field(
        default=None, validator=check.validator(check.optional(check.per_second))
    )
    """Messages that a client may send per second; also the size of a burst after a second of rest. None for no limit.

    A message over the limit is dropped; if it has a ref, it is answered with the error `rate limited`. After ten
    seconds' worth of dropped messages without a rest, the client is disconnected with 1008. A leave is never dropped.
    On a socket without channels, the server reads more slowly instead.
    """
    max_joins_per_second: float | None = attrs.field(
        default=None, validator=check.validator(check.optional(check.per_second))
    )
    """Joins that a client may send per second; the same rules hold. None for no limit."""
    transport_log: LogLevel | Literal[False] = attrs.field(default=False, validator=_level)
    """The level of the log line for each request on the transport's path; False for no line."""


@attrs.frozen(kw_only=True)
class WebSocketOptions(SocketOptions):
    """The options of a socket's WebSocket transport. The defaults are those of Phoenix 1.8.12 where it has the option.

    Raises:
        TypeError: a value of a wrong type.
        ValueError: a value that is not allowed; says what is.

    """

    path: str = attrs.field(default="/websocket", validator=check.validator(check.path))
    """The path of the transport, below the path that the socket is mounted at."""
    timeout: float = attrs.field(default=60.0, validator=check.validator(check.seconds))
    """Seconds without received bytes after which a connection is closed; `math.inf` for never."""
    max_frame_size: int = attrs.field(default=1024 * 1024, validator=check.validator(check.whole))
    """Limit for a message, in bytes after inflation; a longer one closes with 1009. Phoenix has no limit."""
    compress: bool = attrs.field(default=False, validator=check.validator(check.flag))
    """Whether clients may negotiate compression of messages (permessage-deflate, RFC 7692)."""
    subprotocols: tuple[str, ...] = attrs.field(default=(), converter=_subprotocols)
    """The server's subprotocols, the preferred one first.

    A client that offers only other subprotocols is refused; a client that offers none is accepted. If this is empty,
    the server ignores the subprotocols that a client offers.
    """
    fullsweep_after: int | None = attrs.field(default=None, validator=_sweep_after)
    """Messages of one connection between two garbage collections, 0 for one after each message; None for Python's own.

    The whole program waits during a collection: `phxactor.transport._full_sweep` says when it pays.
    """
    error_handler: ErrorHandler | None = attrs.field(
        default=None, validator=check.validator(check.optional(check.function))
    )
    """Makes the response if `connect` refuses with a reason; without it, the response is an empty 403."""


@attrs.frozen(kw_only=True)
class LongPollOptions(SocketOptions):
    """The options of a socket's long-poll transport. The defaults are those of Phoenix 1.8.12 where it has the option.

    Raises:
        TypeError: a value of a wrong type.
        ValueError: a value that is not allowed; says what is.

    """

    path: str = attrs.field(default="/longpoll", validator=check.validator(check.path))
    """The path of the transport, below the path that the socket is mounted at."""
    window: float = attrs.field(default=10.0, validator=check.validator(check.seconds))
    """Seconds that a poll waits for messages; a session that is not polled for one and a half windows ends."""
    max_message_size: int = attrs.field(default=1024 * 1024, validator=check.validator(check.whole))
    """Limit for a message in bytes, for a binary one after base64 decoding; a longer one ends the session with 400.

    Phoenix has no such limit.
    """
    max_body_bytes: int | None = attrs.field(default=None, validator=check.validator(check.optional(check.whole)))
    """Limit for a request's body in bytes; a longer one is answered 413. None for the endpoint's `max_body_bytes`."""
