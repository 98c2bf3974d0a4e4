"""Fan-out: what one client shouts is delivered to all members of the topic."""

from __future__ import annotations

from itertools import count
from typing import ClassVar, Final

import attrs

from benchmarks.load.client import Client, Connection
from benchmarks.load.dialects import Fault, padding, shown
from benchmarks.load.figures import Figures, Loop

TOPIC: Final = "bench:fan"
AT_ONCE: Final = 50
"""Clients that join at a time, before it is measured."""


@attrs.frozen
class FanOut:
    """So many subscribers, and one publisher, who came first; the next shout follows when all have got the last."""

    name: ClassVar = "fanout"

    clients: int = 1000
    window: int = 1
    payload: int = 64
    warmup: float = 1.0
    seconds: float = 3.0

    async def run(self, client: Client) -> Figures:
        """Run it; an operation is a delivery."""
        (publisher,), _ = await client.enter([TOPIC], 1)
        others, _ = await client.enter([TOPIC] * self.clients, AT_ONCE)
        connections = [publisher, *others]
        shouts = Shouts(client, publisher, len(connections), padding(client.dialect, self.payload))
        for connection in connections:
            Member(shouts, connection)
        for _ in range(self.window):
            shouts.publish()
        return await shouts.loop.measure(self.warmup, self.seconds)


@attrs.define
class Shout:
    """A shout that has not reached everybody yet."""

    broadcast: object
    """What every member has to get."""
    missing: int
    """Members that have not."""
    asked_ns: int
    seen: bytes = b""
    """The bytes of a delivery that was found right: those of the others are the same, or are looked at one by one."""


class Shouts:
    """What the members know together."""

    def __init__(self, client: Client, publisher: Connection, members: int, padding: str) -> None:
        self.loop = Loop(client)
        self._under_way: dict[int, Shout] = {}
        self._client = client
        self._dialect = client.dialect
        self._publisher = publisher
        self._members = members
        self._padding = padding
        self._numbers = count(1)

    def publish(self) -> None:
        """Shout."""
        number = next(self._numbers)
        (membership,) = self._publisher.joined
        frame, broadcast = self._dialect.shout(TOPIC, membership.join_ref, number, self._padding)
        self._under_way[number] = Shout(broadcast, self._members, self.loop.began())
        self._publisher.send(frame)

    def delivered(self, number: int, raw: bytes) -> None:
        """Check a delivery of the shout with this number."""
        shout = self._under_way.get(number)
        if shout is None:
            raise Fault(f"nothing was shouted, but there came {shown(raw)}")
        if raw != shout.seen:
            if self._dialect.decode(raw) != shout.broadcast:
                raise Fault(f"not what was shouted, or out of order: {shown(raw)}")
            shout.seen = raw
        self._client.done += 1
        shout.missing -= 1
        if not shout.missing:
            del self._under_way[number]
            self.loop.done(shout.asked_ns)
            if self.loop.asking:
                self.publish()


class Member:
    """One that every shout has to reach, once and in order."""

    def __init__(self, shouts: Shouts, connection: Connection) -> None:
        self._shouts = shouts
        self._next = 1
        connection.on_message = self.take

    def take(self, raw: bytes) -> None:
        """Take a delivery."""
        self._shouts.delivered(self._next, raw)
        self._next += 1
