"""All that may happen next: steps of the program from outside, actions of processes from inside, and the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, TypeAlias

from tests.protocol import channels, transports
from tests.protocol.steps import Broadcast, Drain, End, Kill, Open, Resume, Send, Stall, Step
from tests.protocol.world import IDLE, LOOK, Connection, Id, ImpossibleError, Joined, Note, Timer, World

Action: TypeAlias = Callable[[World], None]
END: Final = End(broken=True)


# ------------------------------------------------------------------------------------------------ from outside


def play(world: World, step: Step) -> None:  # noqa: C901 - one case a step
    """Let a step of the program begin."""
    match step:
        case Open():
            world.connections[step.client] = Connection(step.vsn, step.user, step.rejected)
        case Send(client=name, what=End(broken=True)):
            if world.connections[name].stage in ("opening", "open"):
                world.connection(name, inbox=(*world.connections[name].inbox, END), blind=True)
        case Send(client=name, what=what):
            if world.connections[name].stage in ("opening", "open"):
                world.connection(name, inbox=(*world.connections[name].inbox, what))
        case Stall(client=name):
            world.connection(name, stalled=True)
        case Resume(client=name):
            held = world.connections[name].held
            world.connection(name, stalled=False, held=(), waiting=0)
            world.cancel("linger", name)
            for item in held:
                world.say(name, item)
        case Broadcast():
            channels.broadcast(world, step)
        case Kill(client=name, topic=topic, hit=hit):
            alive = [
                one
                for one, channel in world.channels.items()
                if (channel.owner, channel.topic) == (name, topic) and channel.stage not in ("starting", "dying")
            ]
            if hit is not None and hit is not bool(alive):
                raise ImpossibleError
            for one in alive:
                world.signal(one, "kill")
        case Drain():
            for name, connection in world.connections.items():
                if connection.stage == "open":
                    world.connection(name, draining=True)


# ----------------------------------------------------------------------------------------------------- from inside


def ready(world: World) -> Iterator[Action]:
    """List what can happen now."""
    for name, connection in world.connections.items():
        if connection.stage == "opening":
            yield partial(transports.accept, name=name)
        elif connection.stage == "closing":
            yield partial(transports.finish, name=name)
        elif connection.stage == "open" and connection.inbox and not connection.draining:
            yield partial(transports.read, name=name)
            if connection.inbox[-1] == END and len(connection.inbox) > 1:
                yield partial(World.connection, name=name, inbox=(END,))  # what was not read is lost with a reset
    for one, channel in world.channels.items():
        if channel.replaced and not (channel.stage == "running" and channel.mailbox):
            yield partial(transports.end_replaced, one=one)
        if channel.stage == "dying":
            yield partial(channels.end, one=one)
        elif channel.stage == "starting" or (channel.stage == "running" and channel.mailbox):
            yield partial(channels.step, one=one)
    for timer in world.timers:
        if timer.at <= world.now:
            yield partial(_fire, timer=timer)


def _fire(world: World, timer: Timer) -> None:
    world.timers = tuple(other for other in world.timers if other != timer)
    whom = timer.whom
    if isinstance(whom, str):
        if timer.what == "reply":
            transports.say(world, whom, timer.item)
        elif timer.what == "linger":
            world.connection(whom, held=("eof",))
        elif timer.what == "look":
            _drained(world, whom)
    elif timer.what == "wake":
        channels.wake(world, whom)
    elif timer.what == "note":
        world.deliver(whom, Note(timer.item))
    elif timer.what == "late":
        transports.late(world, whom)
    elif timer.what == "grace":
        world.signal(whom, "kill")


def _done(world: World, name: str) -> bool:
    """Say whether a connection that drains has nothing to wait for: no join, and no channel that is busy."""
    connection = world.connections[name]
    if not connection.draining or connection.stage != "open":
        return False
    table = dict(connection.topics).values()
    return all(isinstance(entry, Joined) and _idle(world, entry.channel) for entry in table)


def _idle(world: World, one: Id) -> bool:
    channel = world.channels.get(one)
    return channel is None or (channel.stage == "running" and not channel.mailbox)


def _drained(world: World, name: str) -> None:
    if _done(world, name):
        world.cancel("look", name)
        transports.close(world, name, 1012, ("shutdown", "draining"))


def optional(world: World) -> Iterator[Action]:
    """List what can happen now, and can as well happen a little later."""
    for name in world.connections:
        if _done(world, name):
            yield partial(_drained, name=name)


def tick(world: World, until: float) -> bool:
    """Have time pass up to the next event; False when there is none until then."""
    for name in world.connections:
        if _done(world, name) and not any((timer.what, timer.whom) == ("look", name) for timer in world.timers):
            world.add_timer(LOOK, "look", name)
    silent = {
        name: connection.heard + IDLE
        for name, connection in world.connections.items()
        if connection.stage == "open" and not connection.draining
    }
    at = min([*(timer.at for timer in world.timers), *silent.values(), until + 1])
    if at > until:
        return False
    world.now = max(world.now, at)
    for name in [name for name, end in silent.items() if end <= world.now]:
        transports.close(world, name, 1002, ("shutdown", "timeout"))
    return True
