"""Echo: what a client pushes comes back to it, on many connections or on many topics of one."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from itertools import count, cycle
from typing import ClassVar, Final

import attrs

from benchmarks.load.client import Client, Connection
from benchmarks.load.dialects import Fault, padding, shown
from benchmarks.load.figures import Figures, Loop

AT_ONCE: Final = 50
"""Clients that join at a time, before it is measured."""


@attrs.frozen
class Echo:
    """Many connections, each joined to a topic of its own, each with so many echoes outstanding."""

    name: ClassVar = "echo"

    connections: int = 50
    window: int = 1
    payload: int = 64
    warmup: float = 1.0
    seconds: float = 3.0

    async def run(self, client: Client) -> Figures:
        """Run it."""
        topics = [f"bench:{number}" for number in range(self.connections)]
        connections, _ = await client.enter(topics, AT_ONCE)
        return await _exchange(client, connections, self)


@attrs.frozen
class Multi:
    """One connection joined to many topics, with so many echoes outstanding on all of them, in turn."""

    name: ClassVar = "multi"

    topics: int = 100
    window: int = 8
    payload: int = 64
    warmup: float = 1.0
    seconds: float = 3.0

    async def run(self, client: Client) -> Figures:
        """Run it."""
        connection = await client.connect()
        for number in range(self.topics):
            await client.join(connection, f"bench:{number}")
        return await _exchange(client, [connection], self)


async def _exchange(client: Client, connections: list[Connection], load: Echo | Multi) -> Figures:
    loop, numbers = Loop(client), count(1)
    for connection in connections:
        echoes = Echoes(loop, connection, numbers, padding(client.dialect, load.payload))
        for _ in range(load.window):
            echoes.ask()
    return await loop.measure(load.warmup, load.seconds)


class Echoes:
    """The echoes of one connection: on each topic, answers have to come in the order of the questions."""

    def __init__(self, loop: Loop, connection: Connection, numbers: Iterator[int], padding: str) -> None:
        self._loop = loop
        self._client = loop.client
        self._dialect = loop.client.dialect
        self._send = connection.send
        self._turns = cycle(connection.joined)
        self._numbers = numbers
        self._padding = padding
        self._expected: defaultdict[str, deque[tuple[object, int]]] = defaultdict(deque)
        connection.on_message = self.take

    def ask(self) -> None:
        """Push the next one."""
        turn = next(self._turns)
        frame, answer = self._dialect.echo(turn.topic, turn.join_ref, next(self._numbers), self._padding)
        self._expected[self._dialect.topic(answer)].append((answer, self._loop.began()))
        self._send(frame)

    def take(self, raw: bytes) -> None:
        """Check an answer, and ask again."""
        answer = self._dialect.decode(raw)
        expected = self._expected.get(self._dialect.topic(answer))
        if not expected or expected[0][0] != answer:
            raise Fault(f"a wrong answer, or one out of order: {shown(raw)}")
        _, asked_ns = expected.popleft()
        self._client.done += 1
        self._loop.done(asked_ns)
        if self._loop.asking:
            self.ask()
