"""What a connection does: whose a message is, when a join is answered, what a client hears of the end of a channel."""

from __future__ import annotations

from typing import Final

import attrs

from tests.protocol import frames
from tests.protocol.frames import UnencodableError
from tests.protocol.steps import Broadcast, Close, End, Garbage, Message, Payload, Ping, Ref
from tests.protocol.world import (
    GRACE,
    JOIN_TIMEOUT,
    LINGER,
    MAX_CHANNELS,
    MAX_OUTPUT,
    Channel,
    Ending,
    Id,
    Joined,
    Joining,
    Reason,
    World,
)

CLOSED: Final = ("shutdown", "closed")
PATTERNS: Final = ("room:*", "audit:*", "exact", "assigned:*", "custom:*")
GARBAGE: Final[dict[str, tuple[int, Reason]]] = {
    "text that is not JSON": (1011, ("shutdown", "bad_message")),
    "an array that is too short": (1011, ("shutdown", "bad_message")),
    "JSON of another version": (1011, ("shutdown", "bad_message")),
    "a binary message that is cut": (1011, ("shutdown", "bad_message")),
    "text that is not UTF-8": (1007, ("shutdown", "not_utf8")),
    "a frame without a mask": (1002, CLOSED),
    "a message that is too big": (1009, CLOSED),
}
"""Mistakes, the close code of each, and why the channels end."""


def routed(topic: str) -> bool:
    """Say whether a topic has a channel: patterns are exact, or end in a star."""
    return any(topic.startswith(pattern[:-1]) if pattern.endswith("*") else topic == pattern for pattern in PATTERNS)


def say(world: World, name: str, item: str) -> None:
    """Send a frame; a client for which too much waits is closed with 1013."""
    connection = world.connections[name]
    if connection.stage != "open":
        return
    world.say(name, item)
    if connection.stalled:
        waiting = connection.waiting + frames.size(item)
        world.connection(name, waiting=waiting)
        if waiting > MAX_OUTPUT:
            close(world, name, 1013, ("shutdown", "slow_consumer"))


def close(world: World, name: str, code: int, reason: Reason) -> None:
    """Send a close frame; nothing is read or said after it."""
    if world.connections[name].stage == "open":
        world.say(name, f"close {code}")
        world.connection(name, stage="closing", reason=reason)


def finish(world: World, name: str) -> None:
    """End the process of a connection: the channels hear of it."""
    connection = world.connections[name]
    pending = {entry.channel for _, entry in connection.topics if isinstance(entry, Joining)}
    world.connection(name, stage="gone", topics=(), inbox=())
    for timer in world.timers:
        if timer.what in ("late", "grace") and timer.whom[0] == name:
            world.cancel(timer.what, timer.whom)
    for one, channel in sorted(world.channels.items()):
        if channel.owner == name and one in pending:
            world.signal(one, CLOSED)
        elif channel.owner == name:
            world.deliver(one, Ending(connection.reason))
    world.say(name, "eof")
    if connection.stalled:
        world.add_timer(LINGER, "linger", name)


# ------------------------------------------------------------------------------------------------ from the client


def accept(world: World, name: str) -> None:
    """Let a client in, or do not."""
    connection = world.connections[name]
    if connection.vsn not in (1, 2) or connection.rejected:
        world.say(name, "rejected 403")
        world.connection(name, stage="gone")
    else:
        world.say(name, "open")
        world.connection(name, stage="open", heard=world.now)


def read(world: World, name: str) -> None:
    """Take what a client has sent, one at a time."""
    what, *rest = world.connections[name].inbox
    world.connection(name, inbox=tuple(rest), heard=world.now)
    match what:
        case Message():
            take(world, name, what)
        case Ping(data=data):
            say(world, name, f"pong {data}")
        case Garbage(kind=kind):
            close(world, name, *GARBAGE[kind])
        case Close(code=code):
            close(world, name, code, CLOSED)
        case End():
            world.connection(name, stage="closing", reason=CLOSED)


def take(world: World, name: str, message: Message) -> None:
    """Hand a message on, or answer it."""
    entry = world.connections[name].entry(message.topic)
    if (message.topic, message.event) == ("phoenix", "heartbeat"):
        reply(world, name, attrs.evolve(message, join_ref=None), "ok", "{}")
    elif isinstance(entry, Joining):
        world.enter(name, message.topic, attrs.evolve(entry, waiting=(*entry.waiting, message)))
    elif isinstance(entry, Joined):
        if message.event == "phx_join":
            _replace(world, name, entry, message)
        elif _current(entry.join_ref, message):
            world.deliver(entry.channel, message)
    elif message.event == "phx_join":
        _begin(world, name, Joining(message))
    elif message.event == "phx_leave":
        reply(world, name, message, "ok", "{}")
    else:
        _unmatched(world, name, message)


def _current(join_ref: Ref, message: Message) -> bool:
    """Say whether a message is for the channel there is: one of an earlier join is ignored."""
    if join_ref is None or message.join_ref == join_ref:
        return True
    return message.join_ref is None and message.event != "phx_leave"


def _unmatched(world: World, name: str, message: Message) -> None:
    reply(world, name, attrs.evolve(message, join_ref=None), "error", '{"reason":"unmatched topic"}')


def reply(world: World, name: str, message: Message, status: str, payload: Payload) -> None:
    """Answer a message; raises UnencodableError."""
    say(world, name, frames.reply(world.connections[name].vsn, message, status, payload))


# ----------------------------------------------------------------------------------------------------------- joins


def _replace(world: World, name: str, old: Joined, message: Message) -> None:
    """Join a joined topic: the old channel ends before the new one starts (C4)."""
    world.enter(name, message.topic, Joining(message, old=old.channel, closes=(old.join_ref,)))
    world.add_timer(GRACE, "grace", old.channel)
    channel = world.channels.get(old.channel)
    if channel is not None and channel.mailbox:
        world.channel(old.channel, replaced=True)
    else:
        end_replaced(world, old.channel)


def end_replaced(world: World, one: Id) -> None:
    """Tell a channel that is replaced to end; what came before may be taken first, if that is done at once."""
    if one in world.channels:
        world.channel(one, replaced=False)
        world.signal(one, ("shutdown", "duplicate_join"))


def _begin(world: World, name: str, entry: Joining) -> None:
    message, connection = entry.message, world.connections[name]
    world.enter(name, message.topic, entry)
    if not routed(message.topic):
        world.enter(name, message.topic, None)
        _unmatched(world, name, message)
        _resume(world, name, entry)
    elif len(world.connections[name].topics) > MAX_CHANNELS:
        _refuse(world, name, entry, '{"reason":"too many channels joined"}')
    else:
        one = name, connection.joins
        world.connection(name, joins=connection.joins + 1)
        world.enter(name, message.topic, attrs.evolve(entry, channel=one))
        join_ref = message.ref if message.join_ref is None else message.join_ref
        world.channels[one] = Channel(name, message.topic, join_ref, message.payload)
        world.add_timer(JOIN_TIMEOUT, "late", one)


def _joining(world: World, one: Id, topic: str) -> Joining | None:
    """Find the join that a channel is to answer, if anybody waits for that."""
    entry = world.connections[one[0]].entry(topic)
    return entry if isinstance(entry, Joining) and entry.channel == one else None


def admit(world: World, one: Id, payload: Payload) -> None:
    """Take a channel's answer: it lets the client in."""
    channel = world.channels[one]
    entry = _joining(world, one, channel.topic)
    if entry is None:
        return
    try:
        reply(world, channel.owner, entry.message, "ok", payload)
    except UnencodableError:
        world.signal(one, "kill")
        _refuse(world, channel.owner, entry, '{"reason":"join crashed"}')
        return
    _settle(world, channel.owner, entry, Joined(one, entry.message.join_ref))


def refuse(world: World, one: Id, payload: str) -> None:
    """Take a channel's answer: it does not, or cannot any more."""
    channel = world.channels[one]
    entry = _joining(world, one, channel.topic)
    if entry is not None:
        _refuse(world, channel.owner, entry, payload)


def late(world: World, one: Id) -> None:
    """Give a join up that has taken too long."""
    refuse(world, one, '{"reason":"join timed out"}')
    world.signal(one, "kill")


def _refuse(world: World, name: str, entry: Joining, payload: str) -> None:
    reply(world, name, entry.message, "error", payload)
    _settle(world, name, entry, None)


def _settle(world: World, name: str, entry: Joining, result: Joined | None) -> None:
    """Tell of the end of the channel that was replaced, behind the answer; then take what waited, in order."""
    topic = entry.message.topic
    if entry.channel is not None:
        world.cancel("late", entry.channel)
    for join_ref in entry.closes:
        _tell_end(world, name, topic, join_ref, "phx_close")
    world.enter(name, topic, result)
    _resume(world, name, entry)


def _resume(world: World, name: str, entry: Joining) -> None:
    for message in entry.waiting:
        take(world, name, message)


# ------------------------------------------------------------------------------------------------- ends of channels


def closed(world: World, one: Id, topic: str) -> None:
    """Take `socket_close`: the client hears phx_close."""
    entry = world.connections[one[0]].entry(topic)
    if isinstance(entry, Joined) and entry.channel == one:
        world.enter(one[0], topic, None)
        _tell_end(world, one[0], topic, entry.join_ref, "phx_close")


def ended(world: World, one: Id, topic: str) -> None:
    """Hear of the end of a channel: without `socket_close` it is an error, whatever the reason (C1)."""
    name = one[0]
    if world.connections[name].stage != "open":
        return
    entry = world.connections[name].entry(topic)
    if isinstance(entry, Joined) and entry.channel == one:
        world.enter(name, topic, None)
        _tell_end(world, name, topic, entry.join_ref, "phx_error")
    elif isinstance(entry, Joining) and entry.channel == one:
        _refuse(world, name, entry, '{"reason":"join crashed"}')
    elif isinstance(entry, Joining) and entry.old == one:
        world.cancel("grace", one)
        _begin(world, name, attrs.evolve(entry, old=None))


def _tell_end(world: World, name: str, topic: str, join_ref: Ref, event: str) -> None:
    say(world, name, frames.ended(world.connections[name].vsn, join_ref, topic, event))


# ------------------------------------------------------------------------------------------------------- broadcasts


def disconnect(world: World, cast: Broadcast) -> None:
    """End all connections of a user, if that is what a broadcast says."""
    for name, connection in sorted(world.connections.items()):
        named = connection.user is not None
        if named and cast.event == "disconnect" and cast.topic == f"users_socket:{connection.user}":
            close(world, name, 1001, ("shutdown", "disconnected"))
