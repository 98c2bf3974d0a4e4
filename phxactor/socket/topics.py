"""The two states of a topic on one connection: it is being joined, or it has a channel. The multiplexer keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs

from phxactor.runtime import From, Monitor, Pid, Timer
from phxactor.socket.messages import Message, Ref, SocketPush

if TYPE_CHECKING:
    from phxactor.socket.socket import Socket


@final
class Joined:
    """A topic with a living channel."""

    __slots__ = ("join_ref", "monitor", "pid")

    def __init__(self, pid: Pid, join_ref: Ref, watch: Monitor) -> None:
        self.pid = pid
        self.join_ref = join_ref
        self.monitor = watch


@final
class Joining:
    """A topic whose join has not been answered."""

    __slots__ = (
        "admitted",
        "began",
        "close",
        "closing",
        "from_",
        "message",
        "monitor",
        "old",
        "pid",
        "socket",
        "started",
        "timer",
        "waiting",
    )

    def __init__(self, message: Message, began: float) -> None:
        self.message = message
        self.began = began
        self.old: Joined | None = None
        """The channel that this join replaces, until it has ended."""
        self.close: SocketPush | None = None
        """The old channel's phx_close, which follows the answer."""
        self.started: From | None = None
        """Who the pool's supervisor answers."""
        self.from_: From | None = None
        """Who the channel answers."""
        self.admitted = False
        """Whether the client has been told ok."""
        self.closing = False
        """Whether the channel has said that it ends: the client hears phx_close behind the answer."""
        self.socket: Socket | None = None
        """The channel's copy, by which it is known before its process is."""
        self.pid: Pid | None = None
        self.monitor: Monitor | None = None
        self.timer: Timer | None = None
        self.waiting: list[Message] = []


@attrs.frozen
class Late:
    """A timer's message: a join, or the end of the channel that it replaces, has taken too long."""

    joining: Joining
