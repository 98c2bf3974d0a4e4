"""What travels between a client, its transport and its channels.

`Message` comes in, `Message` and `Reply` go out to one client, `Broadcast` to many. A serializer turns these
into a `SocketPush`, which is all that a transport sees.
"""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING, Any, Final, TypeAlias, final

import attrs

if TYPE_CHECKING:
    from phxactor.runtime.pid import Pid
    from phxactor.runtime.reasons import Reason
    from phxactor.socket.socket import Socket

Ref: TypeAlias = str | int | float | list[Any] | dict[str, Any] | None
"""What a client numbers its messages with: any JSON, which comes back as it came. phoenix.js sends strings."""

TEXT: Final = 1
"""The opcode of a text frame (RFC 6455 section 5.2)."""
BINARY: Final = 2
"""The opcode of a binary frame (RFC 6455 section 5.2)."""

# A payload is the client's: for a log line it may be too long, and nested too deeply for `repr`.
_PAYLOAD: Final = reprlib.Repr()
_PAYLOAD.maxlevel = 4
_PAYLOAD.maxdict = _PAYLOAD.maxlist = _PAYLOAD.maxtuple = 8
_PAYLOAD.maxstring = _PAYLOAD.maxother = 80


# attrs makes an `__init__` as fast as one written by hand (0.17 µs); a named tuple takes 0.24 µs.
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
    """A client's message whose event is no text but other JSON: `event` is how that is written.

    No channel has a handler for it, so it is a type of its own: the event `null` is not the event `"null"`.
    """


@final
@attrs.define
class Reply:
    """The answer to the message that had this `ref`, as the event `phx_reply`.

    `status` is `ok` or `error`, though any other goes through. `payload` is a JSON value or `bytes`; `join_ref`
    names the join that the channel lives by.
    """

    topic: str
    status: str
    payload: object = attrs.field(repr=_PAYLOAD.repr)
    ref: Ref = None
    join_ref: Ref = None


@final
@attrs.define
class Broadcast:
    """An event for all who are subscribed to a topic; `payload` is a JSON value or `bytes`."""

    topic: str
    event: str
    payload: object = attrs.field(repr=_PAYLOAD.repr)


@final
@attrs.define
class SocketPush:
    """An encoded message on its way to a transport: Phoenix's `{:socket_push, opcode, data}`.

    Several transports may hold the same one, so nobody changes `opcode` or `data`.
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
class Drain:
    """The type of `DRAIN`."""

    __slots__ = ()


DRAIN: Final = Drain()
"""What tells a transport to finish: it reads nothing more, and ends once its channels have answered what it read."""


@final
@attrs.define
class SocketClose:
    """`{:socket_close, pid, reason}`: what a channel sends its transport before it exits gracefully.

    The client then hears `phx_close`; an exit without it is a `phx_error`, whatever the reason (Phoenix 1.8.12).
    """

    pid: Pid
    reason: Reason
    socket: Socket | None = attrs.field(default=None, eq=False, repr=False)
    """The channel's: by it a channel is known that says so while it is being started."""
