"""The messages between a client, its transport and its channels.

`Message` comes in, `Message` and `Reply` go out to one client, `Broadcast` to many. A serializer turns these
into a `SocketPush`, which is all that a transport sees.
"""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING, Any, Final, TypeAlias, final

import attrs

if TYPE_CHECKING:
    from phxactor.runtime import Pid, Reason
    from phxactor.socket._socket import Socket

Ref: TypeAlias = str | int | float | list[Any] | dict[str, Any] | None
"""A client's number of a message: any JSON value, which the reply repeats as it came. phoenix.js sends strings."""

TEXT: Final = 1
"""The opcode of a text frame (RFC 6455 section 5.2)."""
BINARY: Final = 2
"""The opcode of a binary frame (RFC 6455 section 5.2)."""

# The client chooses the payload: it may be too long for a log line, and nested too deeply for `repr`.
_PAYLOAD: Final = reprlib.Repr()
_PAYLOAD.maxlevel = 4
_PAYLOAD.maxdict = _PAYLOAD.maxlist = _PAYLOAD.maxtuple = 8
_PAYLOAD.maxstring = _PAYLOAD.maxother = 80


# An attrs class is made as fast as one with an `__init__` of its own; a named tuple takes half as long again.
@attrs.define
class Message:
    """An event on a topic: from a client to a channel, or pushed to one client.

    `payload` is a JSON value, or `bytes` in a binary message. A push has no `ref`. Its `repr` cuts the payload.
    """

    topic: str
    event: str
    payload: object = attrs.field(repr=_PAYLOAD.repr)
    ref: Ref = None
    join_ref: Ref = None


@final
@attrs.define
class OddEvent(Message):
    """A client's message whose event is not a string but other JSON: `event` is its JSON text.

    No channel has a handler for it. It is a type of its own, since the event `null` is not the event `"null"`.
    """


@final
@attrs.define
class Reply:
    """The answer to the message that had this `ref`, as the event `phx_reply`.

    `status` is `ok` or `error`; any other is sent as it is. `payload` is a JSON value or `bytes`; `join_ref`
    is that of the channel's join.
    """

    topic: str
    status: str
    payload: object = attrs.field(repr=_PAYLOAD.repr)
    ref: Ref = None
    join_ref: Ref = None


@final
@attrs.define
class Broadcast:
    """An event for all subscribers of a topic; `payload` is a JSON value or `bytes`."""

    topic: str
    event: str
    payload: object = attrs.field(repr=_PAYLOAD.repr)
    context: object = attrs.field(init=False, eq=False, repr=False)
    """What traces the broadcast; not set unless something traces (phxactor.opentelemetry)."""


@final
@attrs.define
class SocketPush:
    """An encoded message on its way to a transport: Phoenix's `{:socket_push, opcode, data}`.

    Several transports may hold the same one, so `opcode` and `data` must not be changed.
    """

    opcode: int
    """`TEXT` or `BINARY`."""
    data: bytes = attrs.field(repr=_PAYLOAD.repr)
    frame: bytes | None = attrs.field(default=None, init=False, eq=False, repr=False)
    """`data` as a whole server frame (RFC 6455 section 5.2), kept here by the first WebSocket transport that
    sends it, so that a broadcast is framed once. Other transports leave it alone."""
    broadcast: bool = attrs.field(default=False, init=False, eq=False, repr=False)
    """Whether it is one of a topic's broadcasts, which a slow consumer may have to miss."""


@final
class SharedPush:
    """A text message to one client, most of which is the same object for many clients: it is not copied for each.

    Its text is `before`, `shared` and `after`.
    """

    __slots__ = ("after", "before", "shared")

    def __init__(self, before: bytes, shared: bytes, after: bytes) -> None:
        """Store the three parts."""
        self.before = before
        self.shared = shared
        self.after = after

    def whole(self) -> SocketPush:
        """Return it as one piece, for a transport that cannot share."""
        return SocketPush(TEXT, b"".join((self.before, self.shared, self.after)))


@final
class Drain:
    """The type of `DRAIN`."""

    __slots__ = ()


DRAIN: Final = Drain()
"""Tells a transport to drain: it reads no more, and ends once its channels have answered what it has read."""


@final
@attrs.define
class SocketClose:
    """`{:socket_close, pid, reason}`: what a channel sends its transport before it exits gracefully.

    The client then hears `phx_close`; an exit without it is a `phx_error`, whatever the reason (Phoenix 1.8.12).
    """

    pid: Pid
    reason: Reason
    socket: Socket | None = attrs.field(default=None, eq=False, repr=False)
    """The channel's socket. It identifies a channel that closes before its pool has named it."""
