"""The state of a join on a topic. `join_table` has its phases, `join_acts` changes them."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, ClassVar, TypeAlias, final

import attrs

from phxactor.runtime import Answer, From, Monitor, Pid, Timer, current, not_here
from phxactor.socket._join_table import Phase
from phxactor.socket._messages import Message, Ref, SocketPush

if TYPE_CHECKING:
    from phxactor.socket._socket import Socket


@final
class ChannelFrom(From):
    """The address of the answer to a join; records the process that answers, maybe before the pool names it."""

    __slots__ = ("answered_by",)

    def __init__(self, owner: Pid) -> None:
        """Make an active one."""
        self.owner = owner
        self.active = True
        self.answered_by: Pid | None = None

    def reply(self, value: object) -> None:
        """Answer as any `From` does."""
        owner = self.owner
        if get_ident() != owner.thread:
            raise not_here(owner)
        if self.active:
            self.answered_by = current.get(None)
            owner.deliver(Answer(self, value))


@final
class Joined:
    """A join in the phase JOINED; small, since most live long."""

    __slots__ = ("join_ref", "monitor", "pid")

    phase: ClassVar = Phase.JOINED

    def __init__(self, pid: Pid, join_ref: Ref, watch: Monitor) -> None:
        self.pid = pid
        self.join_ref = join_ref
        self.monitor = watch


@final
class Joining:
    """A join in any other phase."""

    __slots__ = (
        "began",
        "channel_from",
        "close",
        "message",
        "monitor",
        "old",
        "phase",
        "pid",
        "pool_watch",
        "socket",
        "timer",
        "waiting",
    )

    def __init__(self, message: Message, began: float, phase: Phase) -> None:
        self.message = message
        """The client's `phx_join`."""
        self.began = began
        """When it came, by the runtime's clock in seconds."""
        self.phase = phase
        self.old: Joined | None = None
        """The channel that this join replaces, until its process has exited."""
        self.close: SocketPush | None = None
        """The `phx_close` of the replaced channel, which follows the answer to this join (Phoenix 1.8.12)."""
        self.pool_watch: Monitor | None = None
        """The monitor of the pool, until it has answered or exited; the pool answers to it."""
        self.channel_from: ChannelFrom | None = None
        """Where the channel answers."""
        self.socket: Socket | None = None
        """The channel's copy of the socket."""
        self.pid: Pid | None = None
        """The channel, once the pool has named it."""
        self.monitor: Monitor | None = None
        """The monitor of the channel."""
        self.timer: Timer | None = None
        """The time-out of the phase."""
        self.waiting: list[Message] = []
        """The client's messages for the topic since the join."""


Entry: TypeAlias = Joined | Joining


@final
@attrs.define(eq=False)
class Late:
    """A timer's message: a join, or the exit of the channel that it replaces, has taken too long."""

    joining: Joining
