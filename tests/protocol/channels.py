"""The process of a channel: what comes of each thing that it does, and of its end."""

from __future__ import annotations

import attrs

from tests.protocol import behaviour, frames, transports
from tests.protocol.behaviour import SLOW
from tests.protocol.frames import UnencodableError
from tests.protocol.steps import Broadcast, Message, canonical
from tests.protocol.world import Cast, Effect, Id, Note, Reason, World


def step(world: World, one: Id) -> None:
    """Have a channel take its next message, or start."""
    channel = world.channels[one]
    connection = world.connections[channel.owner]
    if channel.stage == "starting":
        world.channel(one, stage="running")
        run(world, one, behaviour.join(channel), None)
        return
    mail, *rest = channel.mailbox
    world.channel(one, mailbox=tuple(rest))
    run(world, one, behaviour.handle(channel, mail, connection.user), mail if isinstance(mail, Message) else None)


def wake(world: World, one: Id) -> None:
    """Have a channel go on that has slept."""
    channel = world.channels[one]
    (_, message), *script = channel.script
    world.channel(one, stage="running", script=())
    run(world, one, tuple(script), message)


def run(world: World, one: Id, effects: tuple[Effect, ...], message: Message | None) -> None:
    """Do one thing after the other, until the channel waits or ends."""
    for number, effect in enumerate(effects, 1):
        try:
            if effect[0] == "sleep":
                stage = "busy" if world.channels[one].subscribed else "joining"
                world.channel(one, stage=stage, script=(("message", message), *effects[number:]))
                if effect[1] is not None:
                    world.add_timer(effect[1], "wake", one)
                return
            if effect[0] in ("stop", "exit"):
                _end(world, one, effect)
            else:
                _do(world, one, effect, message)
        except UnencodableError:
            _end(world, one, ("exit", "EncodeError"))
        if one not in world.channels or world.channels[one].stage == "dying":
            return


def _do(world: World, one: Id, effect: Effect, message: Message | None) -> None:  # noqa: C901 - one case an effect
    channel = world.channels[one]
    name, topic, join_ref = channel.owner, channel.topic, channel.join_ref
    vsn = world.connections[name].vsn
    match effect:
        case ("join", payload):
            world.channel(one, subscribed=True)
            transports.admit(world, one, payload)
        case ("refuse", payload):
            transports.refuse(world, one, payload)
            end(world, one)
        case ("trap",):
            world.channel(one, traps=True)
        case ("count",):
            world.channel(one, counted=channel.counted + 1)
        case ("value", value):
            world.channel(one, value=value)
        case ("note", what):
            world.deliver(one, Note(what))
        case ("later", seconds, what):
            world.add_timer(seconds, "note", one, what)
        case ("reply", status, payload):
            assert message is not None
            transports.say(world, name, frames.reply(vsn, attrs.evolve(message, join_ref=join_ref), status, payload))
        case ("answer", seconds, payload):
            assert message is not None
            item = frames.reply(vsn, attrs.evolve(message, join_ref=join_ref), "ok", payload)
            world.add_timer(seconds, "reply", name, item)
        case ("push", event, payload):
            transports.say(world, name, frames.push(vsn, join_ref, topic, event, payload))
        case ("broadcast", event, payload):
            broadcast(world, Broadcast(topic, event, payload))
        case ("broadcast_from", event, payload):
            broadcast(world, Broadcast(topic, event, payload), left_out=one)
        case ("close",):
            transports.closed(world, one, topic)
        case ("die",):
            end(world, one)
        case _:
            raise ValueError(effect)


def _end(world: World, one: Id, effect: Effect) -> None:
    """Have a channel end by itself: it says so first, if that is graceful, and then there is `terminate` (C1)."""
    how, reason = effect
    topic = world.channels[one].topic
    if how == "stop" and reason != "boom":
        transports.closed(world, one, topic)
    if topic == "room:lingers":
        run(world, one, (("sleep", SLOW), ("die",)), None)
    else:
        _terminate(world, topic, reason)
        end(world, one)


def end(world: World, one: Id) -> None:
    """End a channel's process, and have its connection hear of it."""
    topic = world.channels[one].topic
    world.remove(one)
    transports.ended(world, one, topic)


def _terminate(world: World, topic: str, reason: Reason) -> None:
    if topic.startswith("room:terminate:"):
        broadcast(world, Broadcast("audit:log", "terminated", canonical({"topic": topic, "reason": reason})))


def broadcast(world: World, cast: Broadcast, left_out: Id | None = None) -> None:
    """Send to all who are subscribed to a topic, past the channels, but for those that want it themselves."""
    transports.disconnect(world, cast)
    for one, channel in sorted(world.channels.items()):
        if not channel.subscribed or channel.topic != cast.topic or one == left_out:
            continue
        kind = channel.topic.partition(":")[0]
        if kind == "custom" or (kind == "room" and cast.event in ("intercepted", "swallowed")):
            world.deliver(one, Cast(cast.event, cast.payload))
        else:
            _fastlane(world, channel.owner, cast)


def _fastlane(world: World, name: str, cast: Broadcast) -> None:
    try:
        item = frames.broadcast(world.connections[name].vsn, cast.topic, cast.event, cast.payload)
    except UnencodableError:
        return  # dropped for those who speak version 1
    transports.say(world, name, item)
