"""What can be set for a socket's WebSocket transport, checked when it is given."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from math import inf, isnan
from typing import Final, Literal, TypeAlias, get_args

import attrs
from attrs.validators import instance_of, optional

from phxactor.socket.serializer import Serializer
from phxactor.socket.socket import LEVELS
from phxactor.socket.versions import PHOENIX, Requirement, Serializers, versioned
from phxactor.transport.origin import CheckOrigin, OriginCheck
from phxactor.transport.request import Request
from phxactor.transport.response import Response
from phxactor.transport.session import SessionOptions

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
"""What `connect` can be told of a connection; `phxactor.endpoint.connect_info` says what each of them is."""

ErrorHandler: TypeAlias = Callable[[Request, object], Response]
"""Makes the answer to a request that `connect` refused, from the request and the reason."""

_CONNECT_INFO_KEYS: Final = get_args(ConnectInfoKey)
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def _path(_: object, field: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{field.name} is text, not {value!r}")
    if not value.startswith("/") or "?" in value or "#" in value:
        raise ValueError(f"{field.name} begins with a slash and has no query, such as '/websocket'; it is {value!r}")


def checked_seconds(name: str, value: object) -> float:
    """Return a number of seconds above 0, infinity among them. Raises TypeError and ValueError, which say the name."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} is a number of seconds, not {value!r}")
    if isnan(value) or value <= 0:
        raise ValueError(f"{name} is more than 0 seconds, or math.inf for no limit; it is {value!r}")
    return value


def _seconds(_: object, field: attrs.Attribute[float], value: object) -> None:
    checked_seconds(field.name, value)


def checked_bytes(name: str, value: object) -> int:
    """Return a number of bytes, or of something else, of at least 1. Raises TypeError and ValueError, with the name."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is a whole number, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} is at least 1; it is {value!r}")
    return value


def _at_least_one(_: object, field: attrs.Attribute[int], value: object) -> None:
    checked_bytes(field.name, value)


def _at_least_one_or_none(_: object, field: attrs.Attribute[int | None], value: object) -> None:
    if value is not None:
        checked_bytes(field.name, value)


def _per_second(_: object, field: attrs.Attribute[float | None], value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{field.name} is a number, or None for no limit, not {value!r}")
    if not 0 < value < inf:
        raise ValueError(f"{field.name} is more than 0, or None for no limit; it is {value!r}")


def _count_or_none(_: object, field: attrs.Attribute[int | None], value: object) -> None:
    if value is not None and type(value) is not int:
        raise TypeError(f"{field.name} is a whole number from 0, or None for never, not {value!r}")
    if value is not None and value < 0:
        raise ValueError(f"{field.name} is at least 0, or None for never; it is {value!r}")


def _level(_: object, field: attrs.Attribute[LogLevel | Literal[False]], value: object) -> None:
    if value is not False and value not in LEVELS:
        raise ValueError(f"{field.name} is one of {', '.join(LEVELS)}, or False, not {value!r}")


def _slow_consumer(_: object, field: attrs.Attribute[SlowConsumer], value: object) -> None:
    if value not in get_args(SlowConsumer):
        raise ValueError(f"{field.name} is 'close' or 'drop', not {value!r}")


def _flag(_: object, field: attrs.Attribute[bool], value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{field.name} is True or False, not {value!r}")


def _function(_: object, field: attrs.Attribute[ErrorHandler | None], value: object) -> None:
    if value is not None and not callable(value):
        raise TypeError(f"{field.name} is a function or None, not {value!r}")


def _listed(given: object, what: str) -> None:
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError(f"{what} is given as a list, not {given!r}")


def _subprotocols(given: Iterable[str]) -> tuple[str, ...]:
    _listed(given, "subprotocols")
    names = tuple(given)
    for name in names:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} in subprotocols is no token of RFC 9110 section 5.6.2, such as 'ref.v1'")
    return names


def _connect_info(given: Iterable[ConnectInfoKey]) -> tuple[ConnectInfoKey, ...]:
    _listed(given, "connect_info")
    keys = tuple(given)
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

    `phxactor.transport.origin.OriginCheck` says more.
    """
    auth_token: bool = attrs.field(default=False, validator=_flag)
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
    max_channels: int = attrs.field(default=100, validator=_at_least_one)
    """Channels that one connection may have joined."""
    join_timeout: float = attrs.field(default=30.0, validator=_seconds)
    """Seconds that a channel has to answer a join before it is ended; `math.inf` for no limit."""
    connect_timeout: float = attrs.field(default=30.0, validator=_seconds)
    """Seconds that `connect` may wait, and a raw socket's `init`, before the client is refused; `math.inf` for any.

    By WebSocket it is answered 503, by long poll 500, after which phoenix.js tries again. One that leaves meanwhile
    ends it at once.
    """
    max_input_bytes: int = attrs.field(default=8 * 1024 * 1024, validator=_at_least_one)
    """Bytes of a client's messages, as they are in memory, that may wait for its channels, before nothing more is read.

    A message that is not handled yet counts as much as it takes at the most: up to 255 bytes are taken for 10.7 KB.
    One that is larger than all of this is taken when nothing else waits. A socket without channels has 64 KiB.
    """
    max_output_bytes: int = attrs.field(default=4 * 1024 * 1024, validator=_at_least_one)
    """Bytes that may wait for a client that reads too slowly."""
    slow_consumer: SlowConsumer = attrs.field(default="close", validator=_slow_consumer)
    """What becomes of a client for which more waits: `"close"` disconnects it, with 1013.

    `"drop"` begins when half of it waits: then broadcasts to the client are dropped, until it has caught up. Replies
    and what its channels push are not; when these fill the other half, it is disconnected too.
    """
    max_messages_per_second: float | None = attrs.field(default=None, validator=_per_second)
    """Messages that one client may send in a second, and as many at once after a second of rest; None for any number.

    One that is too many is answered with the error `rate limited`, if it waits for an answer, and goes nowhere; after
    ten seconds' worth of them without a rest, the client is closed with 1008. A leave is never refused. A socket
    without channels has no answer of its own: its client is read no faster.
    """
    max_joins_per_second: float | None = attrs.field(default=None, validator=_per_second)
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

    path: str = attrs.field(default="/websocket", validator=_path)
    """Where, below the path that the socket is mounted at."""
    timeout: float = attrs.field(default=60.0, validator=_seconds)
    """Seconds without anything received after which a connection is closed; `math.inf` for never."""
    max_frame_size: int = attrs.field(default=1024 * 1024, validator=_at_least_one)
    """Bytes of a message, after inflation; a longer one closes the connection with 1009. Phoenix has no limit."""
    compress: bool = attrs.field(default=False, validator=_flag)
    """Whether clients may have messages compressed (permessage-deflate, RFC 7692)."""
    subprotocols: tuple[str, ...] = attrs.field(default=(), converter=_subprotocols)
    """Sub-protocols to choose from, the preferred one first.

    A client that asks for others only is refused, one that asks for none is not. When this is empty, what the client
    asks for is not looked at.
    """
    fullsweep_after: int | None = attrs.field(default=None, validator=_count_or_none)
    """Messages of one connection after which garbage is collected, 0 for after each; None for when Python does it.

    All of the program waits while it is: `phxactor.transport.full_sweep` says when it pays.
    """
    error_handler: ErrorHandler | None = attrs.field(default=None, validator=_function)
    """Answers when `connect` refuses with a reason; an empty 403 without one."""


@attrs.frozen(kw_only=True)
class LongPollOptions(SocketOptions):
    """How clients reach a socket by long polling. Defaults are those of Phoenix 1.8.12 where it has the option.

    Raises:
        TypeError: a value of a wrong type.
        ValueError: a value that is not allowed; says what is.

    """

    path: str = attrs.field(default="/longpoll", validator=_path)
    """Where, below the path that the socket is mounted at."""
    window: float = attrs.field(default=10.0, validator=_seconds)
    """Seconds that a poll waits for messages; a session that is not polled for one and a half of it ends."""
    max_message_size: int = attrs.field(default=1024 * 1024, validator=_at_least_one)
    """Bytes of a message, of a binary one without its base64; a longer one ends the session with 400.

    Phoenix has no limit of its own.
    """
    max_body_bytes: int | None = attrs.field(default=None, validator=_at_least_one_or_none)
    """Bytes of a request, which holds up to 100 messages; a longer one is answered 413. None for the endpoint's."""
