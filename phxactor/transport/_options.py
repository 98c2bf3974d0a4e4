"""What can be set for a socket's WebSocket transport, checked when it is given."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, Literal, TypeAlias, get_args

import attrs
from attrs.validators import instance_of, optional

from phxactor import _checks as check
from phxactor.http import CheckOrigin, OriginCheck, Request, Response, SessionOptions
from phxactor.socket import LEVELS, PHOENIX, Requirement, Serializer, Serializers, versioned

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
"""How important a line of the log is."""

SlowConsumer: TypeAlias = Literal["close", "drop"]
"""What becomes of a client that reads too slowly."""

ConnectInfoKey: TypeAlias = Literal[
    "peer_data",
    "uri",
    "user_agent",
    "x_headers",
    "trace_context_headers",
    "sec_websocket_headers",
    "auth_token",
]
"""What `connect` can be told of a connection; `phxactor.endpoint._connect_info` says what each of them is."""

ErrorHandler: TypeAlias = Callable[[Request, object], Response]
"""Makes the answer to a request that `connect` refused, from the request and the reason."""

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
            raise ValueError(f"{name!r} in subprotocols is no token of RFC 9110 section 5.6.2, such as 'ref.v1'")
    return names


def _connect_info(given: Iterable[ConnectInfoKey]) -> tuple[ConnectInfoKey, ...]:
    keys = check.listed("connect_info", given)
    for key in keys:
        if key not in _CONNECT_INFO_KEYS:
            raise ValueError(
                f"{key!r} in connect_info is unknown: give any of {', '.join(_CONNECT_INFO_KEYS)}; "
                "a session comes by the option session=SessionOptions(...)"
            )
    return keys


def _check_origin(given: CheckOrigin | OriginCheck) -> OriginCheck:
    return given if isinstance(given, OriginCheck) else OriginCheck(given)


def _serializers(given: Iterable[tuple[Serializer, str | Requirement]] | None) -> Serializers:
    return PHOENIX if given is None else versioned(given)


@attrs.frozen(kw_only=True)
class SocketOptions:
    """What can be set for any transport of a socket."""

    check_origin: OriginCheck = attrs.field(default=OriginCheck(rule=True), converter=_check_origin)
    """Which pages may connect: `True` for those of the same host, `False` for all, a list of origins, or a function.

    `phxactor.http._origin.OriginCheck` says more.
    """
    auth_token: bool = attrs.field(default=False, validator=check.validator(check.flag))
    """Whether `connect` is told the token that phoenix.js sends as its `authToken`.

    By WebSocket it comes as a sub-protocol, and the sub-protocol `phoenix` is then known too; by long poll, in the
    header `X-Phoenix-AuthToken`.
    """
    connect_info: tuple[ConnectInfoKey, ...] = attrs.field(default=(), converter=_connect_info)
    """What `connect` is told of the connection."""
    session: SessionOptions | None = attrs.field(default=None, validator=optional(instance_of(SessionOptions)))
    """Where an application keeps its sessions: `connect` is then told that of the browser, or None.

    The endpoint needs the application's `secret_key_base`.
    """
    serializers: Serializers = attrs.field(default=None, converter=_serializers)
    """What is spoken, as `[(serializer, "~> 2.0.0"), ...]`; Phoenix's V1 and V2 unless given."""
    max_channels: int = attrs.field(default=100, validator=check.validator(check.whole))
    """Channels that one connection may have joined."""
    join_timeout: float = attrs.field(default=30.0, validator=check.validator(check.seconds))
    """Seconds that a channel has to answer a join before it is ended; `math.inf` for no limit."""
    connect_timeout: float = attrs.field(default=30.0, validator=check.validator(check.seconds))
    """Seconds that `connect` may wait, and a raw socket's `init`, before the client is refused; `math.inf` for any.

    By WebSocket it is answered 503, by long poll 500, after which phoenix.js tries again. One that leaves meanwhile
    ends it at once.
    """
    max_input_bytes: int = attrs.field(default=8 * 1024 * 1024, validator=check.validator(check.whole))
    """Bytes of a client's messages, as they are in memory, that may wait for its channels, before nothing more is read.

    A message that is not handled yet counts as much as it takes at the most: up to 255 bytes are taken for 10.7 KB.
    One that is larger than all of this is taken when nothing else waits. A socket without channels has 64 KiB.
    """
    max_output_bytes: int = attrs.field(default=4 * 1024 * 1024, validator=check.validator(check.whole))
    """Bytes that may wait for a client that reads too slowly."""
    slow_consumer: SlowConsumer = attrs.field(default="close", validator=_slow_consumer)
    """What becomes of a client for which more waits: `"close"` disconnects it, with 1013.

    `"drop"` begins when half of it waits: then broadcasts to the client are dropped, until it has caught up. Replies
    and what its channels push are not; when these fill the other half, it is disconnected too.
    """
    max_messages_per_second: float | None = attrs.field(
        default=None, validator=check.validator(check.optional(check.per_second))
    )
    """Messages that one client may send in a second, and as many at once after a second of rest; None for any number.

    One that is too many is answered with the error `rate limited`, if it waits for an answer, and goes nowhere; after
    ten seconds' worth of them without a rest, the client is closed with 1008. A leave is never refused. A socket
    without channels has no answer of its own: its client is read no faster.
    """
    max_joins_per_second: float | None = attrs.field(
        default=None, validator=check.validator(check.optional(check.per_second))
    )
    """Joins that one client may ask for in a second; the same holds for them."""
    transport_log: LogLevel | Literal[False] = attrs.field(default=False, validator=_level)
    """The level at which each request on the transport's path is logged, with one line; False for not at all."""


@attrs.frozen(kw_only=True)
class WebSocketOptions(SocketOptions):
    """How clients reach a socket by WebSocket. Defaults are those of Phoenix 1.8.12 where it has the option.

    Raises:
        TypeError: a value of a wrong type.
        ValueError: a value that is not allowed; says what is.

    """

    path: str = attrs.field(default="/websocket", validator=check.validator(check.path))
    """Where, below the path that the socket is mounted at."""
    timeout: float = attrs.field(default=60.0, validator=check.validator(check.seconds))
    """Seconds without anything received after which a connection is closed; `math.inf` for never."""
    max_frame_size: int = attrs.field(default=1024 * 1024, validator=check.validator(check.whole))
    """Bytes of a message, after inflation; a longer one closes the connection with 1009. Phoenix has no limit."""
    compress: bool = attrs.field(default=False, validator=check.validator(check.flag))
    """Whether clients may have messages compressed (permessage-deflate, RFC 7692)."""
    subprotocols: tuple[str, ...] = attrs.field(default=(), converter=_subprotocols)
    """Sub-protocols to choose from, the preferred one first.

    A client that asks for others only is refused, one that asks for none is not. When this is empty, what the client
    asks for is not looked at.
    """
    fullsweep_after: int | None = attrs.field(default=None, validator=_sweep_after)
    """Messages of one connection after which garbage is collected, 0 for after each; None for when Python does it.

    All of the program waits while it is: `phxactor.transport._full_sweep` says when it pays.
    """
    error_handler: ErrorHandler | None = attrs.field(
        default=None, validator=check.validator(check.optional(check.function))
    )
    """Answers when `connect` refuses with a reason; an empty 403 without one."""


@attrs.frozen(kw_only=True)
class LongPollOptions(SocketOptions):
    """How clients reach a socket by long polling. Defaults are those of Phoenix 1.8.12 where it has the option.

    Raises:
        TypeError: a value of a wrong type.
        ValueError: a value that is not allowed; says what is.

    """

    path: str = attrs.field(default="/longpoll", validator=check.validator(check.path))
    """Where, below the path that the socket is mounted at."""
    window: float = attrs.field(default=10.0, validator=check.validator(check.seconds))
    """Seconds that a poll waits for messages; a session that is not polled for one and a half of it ends."""
    max_message_size: int = attrs.field(default=1024 * 1024, validator=check.validator(check.whole))
    """Bytes of a message, of a binary one without its base64; a longer one ends the session with 400.

    Phoenix has no limit of its own.
    """
    max_body_bytes: int | None = attrs.field(default=None, validator=check.validator(check.optional(check.whole)))
    """Bytes of a request, which holds up to 100 messages; a longer one is answered 413. None for the endpoint's."""
