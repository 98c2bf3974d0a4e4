"""The state of the model: connections, channels, timers, and what each client has been told.

The model is a machine with many possible next actions: whatever is ready may happen next, one whole action at a time.
It is written from what Phoenix does on the wire and from the rules of processes, not from the code: an action ends
where a process waits, a message is in the mailbox once it is sent (O1), and who is told to die takes no more (O4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, Self, TypeAlias

import attrs

from tests.protocol.steps import Message, Payload, Ref, Sent

MAX_CHANNELS: Final = 4
"""Of one connection."""
JOIN_TIMEOUT: Final = 2.0
IDLE: Final = 60.0
"""Seconds without anything received, after which a connection is closed."""
MAX_FRAME: Final = 4096
MAX_OUTPUT: Final = 6000
"""Bytes that may wait for a client that does not read."""
GRACE: Final = 5.0
"""Seconds that a channel has to end when its topic is joined again (C4)."""
LINGER: Final = 5.0
"""Seconds that a client has to take the last bytes."""
LOOK: Final = 0.01
"""Seconds within which a connection that drains sees that its channels are done."""

Id: TypeAlias = tuple[str, int]
"""A channel: whose, and by the client's how manieth join."""
Reason: TypeAlias = str | tuple[str, str] | None
Effect: TypeAlias = tuple[Any, ...]
"""One thing that a channel does; `channels.run` knows them all."""


Seen: TypeAlias = Mapping[str, Sequence[str] | None]
"""What each client was seen to get; None if nobody could see it, nothing if it is missing."""


class ImpossibleError(Exception):
    """This is not what was seen."""


# ---------------------------------------------------------------------------------------------------- topics


@attrs.frozen(cache_hash=True)
class Joined:
    """A topic with a channel."""

    channel: Id
    join_ref: Ref
    leaving: bool = False
    """Whether the channel has been told of a leave."""


@attrs.frozen(cache_hash=True)
class Joining:
    """A topic whose join has not been answered."""

    message: Message
    channel: Id | None = None
    old: Id | None = None
    """The channel that ends first."""
    closes: tuple[Ref, ...] = ()
    """The join_ref of the channel that was replaced, whose phx_close follows the answer."""
    waiting: tuple[Message, ...] = ()


Entry: TypeAlias = Joined | Joining


# ------------------------------------------------------------------------------------------------- processes


class Connection(NamedTuple):
    """A client, and the process that holds its connection."""

    vsn: int
    user: str | None
    rejected: bool = False
    """Whether `connect` refuses it."""
    stage: Literal["opening", "open", "closing", "gone"] = "opening"
    inbox: tuple[Sent, ...] = ()
    """What it has sent, and the server has not read."""
    topics: tuple[tuple[str, Entry], ...] = ()
    joins: int = 0
    reason: Reason = None
    """Why it is closing."""
    heard: float = 0.0
    told: int = 0
    """Items of what was seen that are accounted for."""
    blind: bool = False
    """Whether nobody knows what it is told."""
    stalled: bool = False
    held: tuple[str, ...] = ()
    """What waits until it reads again."""
    waiting: int = 0
    """The bytes of that."""
    draining: bool = False

    def entry(self, topic: str) -> Entry | None:
        """Look a topic up."""
        return dict(self.topics).get(topic)


@attrs.frozen(cache_hash=True)
class Cast:
    """A broadcast in the mailbox of a channel."""

    event: str
    payload: Payload


@attrs.frozen(cache_hash=True)
class Ending:
    """A channel is to end: its connection has gone, or it traps exits and has been told to die."""

    reason: Reason


@attrs.frozen(cache_hash=True)
class Note:
    """Something that a channel told itself."""

    what: str


Mail: TypeAlias = Message | Cast | Ending | Note


class Channel(NamedTuple):
    """The process of a channel."""

    owner: str
    topic: str
    join_ref: Ref
    payload: Payload
    """What the join carried."""
    stage: Literal["starting", "joining", "running", "busy", "dying"] = "starting"
    """`joining` and `busy` wait within a callback."""
    mailbox: tuple[Mail, ...] = ()
    subscribed: bool = False
    traps: bool = False
    replaced: bool = False
    """Whether it is to be told that its topic is joined again."""
    counted: int = 0
    value: str = "null"
    script: tuple[Effect, ...] = ()
    """What it does when it wakes."""


@attrs.frozen(order=True)
class Timer:
    """Something that happens at a moment."""

    at: float
    what: str
    whom: str | Id
    item: Any = ""


class World:
    """All of it, at one moment of one possible order of events."""

    def __init__(self) -> None:
        self.now = 0.0
        self.connections: dict[str, Connection] = {}
        self.channels: dict[Id, Channel] = {}
        self.timers: tuple[Timer, ...] = ()
        self.seen: Seen | None = None
        """What each client was seen to get; None if all that is possible may happen."""
        self.log: list[tuple[str, str]] = []
        """What clients were told, if nothing was seen."""

    def copy(self) -> Self:
        """Branch."""
        twin = type(self)()
        twin.now = self.now
        twin.connections = self.connections.copy()
        twin.channels = self.channels.copy()
        twin.timers = self.timers
        twin.seen = self.seen
        twin.log = self.log.copy()
        return twin

    def key(self) -> object:
        """Tell states apart."""
        return self.now, frozenset(self.connections.items()), frozenset(self.channels.items()), self.timers

    # ---------------------------------------------------------------------------------------------- changes

    def connection(self, name: str, **fields: Any) -> None:  # noqa: ANN401 - fields of a Connection
        """Change a connection."""
        self.connections[name] = self.connections[name]._replace(**fields)

    def channel(self, one: Id, **fields: Any) -> None:  # noqa: ANN401 - fields of a Channel
        """Change a channel."""
        self.channels[one] = self.channels[one]._replace(**fields)

    def enter(self, name: str, topic: str, entry: Entry | None) -> None:
        """Put a topic into a connection's table, or take it out."""
        table = dict(self.connections[name].topics)
        if entry is None:
            table.pop(topic, None)
        else:
            table[topic] = entry
        self.connection(name, topics=tuple(sorted(table.items(), key=lambda pair: pair[0])))

    def add_timer(self, seconds: float, what: str, whom: str | Id, item: object = "") -> None:
        """Have something happen later."""
        self.timers = tuple(sorted((*self.timers, Timer(self.now + seconds, what, whom, item))))

    def cancel(self, what: str, whom: str | Id) -> None:
        """Take that back."""
        self.timers = tuple(timer for timer in self.timers if timer.what != what or timer.whom != whom)

    # --------------------------------------------------------------------------------------------- processes

    def deliver(self, one: Id, mail: Mail) -> None:
        """Send to a channel; the dying take nothing."""
        channel = self.channels.get(one)
        if channel is not None and channel.stage != "dying":
            self.channel(one, mailbox=(*channel.mailbox, mail))

    def signal(self, one: Id, reason: Reason) -> None:
        """Send an exit signal to a channel; `"kill"` cannot be trapped (X1, X6, X7)."""
        channel = self.channels.get(one)
        if channel is None or channel.stage == "dying":
            return
        if channel.traps and reason != "kill":
            self.deliver(one, Ending(reason))
        else:
            self.channel(one, stage="dying", mailbox=(), script=())
            self.cancel("wake", one)

    def remove(self, one: Id) -> None:
        """End a channel's process; its subscription goes with it (P14)."""
        del self.channels[one]
        self.cancel("wake", one)
        self.cancel("answer", one)

    # ------------------------------------------------------------------------------------------- what is told

    def say(self, name: str, item: str) -> None:
        """Have a client told something, at once or when it reads again; raises ImpossibleError if it was not."""
        connection = self.connections[name]
        if connection.stalled:
            self.connection(name, held=(*connection.held, item))
        elif not connection.blind:
            if self.seen is None:
                self.log.append((name, item))
                return
            items = self.seen.get(name, ())
            if items is None:
                return
            if connection.told >= len(items) or items[connection.told] != item:
                raise ImpossibleError
            self.connection(name, told=connection.told + 1)
