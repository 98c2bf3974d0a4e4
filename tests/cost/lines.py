"""What is counted over the line between two workers: a message sent, and one received, beside its deliveries."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import attrs
import trio

from phxactor.cluster import Cluster, LocalNode, new_node, this_node
from phxactor.cluster.carriers.workers import Workers
from phxactor.cluster.carriers.workers._frames import FrameKind, frame
from phxactor.envelope import Kind, Message, encode, lane_of
from phxactor.runtime import open_runtime

GROUP: Final = b"one host"
MESSAGE: Final = Message(Kind.BROADCAST, "pubsub", "bench:all", "shout", b'{"d":"' + b"x" * 56 + b'"}')
ENCODED: Final = encode(MESSAGE)
LANE: Final = lane_of(MESSAGE.scope, MESSAGE.topic)


@attrs.define
class Pair:
    """A node, and the other end of its line."""

    node: LocalNode
    other: socket.socket
    number: int = 0
    received: int = 0

    def take(self, _sender: object, _message: Message) -> None:
        """Count a broadcast that has come."""
        self.received += 1

    async def send(self, window: int) -> int:
        """Publish so many in one pass, and have them written at its end."""
        for _ in range(window):
            self.node.publish_encoded(LANE, ENCODED)
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        self.other.recv(2**20)
        return window

    async def receive(self, window: int) -> int:
        """Receive so many at once."""
        first, self.number = self.number + 1, self.number + window
        frames = [frame(FrameKind.MESSAGE, number, ENCODED) for number in range(first, self.number + 1)]
        self.other.send(b"".join(frames))
        while self.received < self.number:
            await trio.lowlevel.checkpoint()
        return window


@asynccontextmanager
async def pair() -> AsyncIterator[Pair]:
    """Open a runtime that is a node with a line to another that watches a topic."""
    carrier = Workers()
    ours, theirs = socket.socketpair()
    try:
        async with open_runtime():
            (await Cluster(carrier, name="here", group=GROUP).start_link()).unwrap()
            node = this_node()
            assert node is not None
            found = Pair(node, theirs)
            node.handle(Kind.BROADCAST, found.take)
            carrier.add_line(new_node("there", GROUP), ours)
            watches = frame(FrameKind.WATCH, 0, f'["{LANE}"]'.encode())
            theirs.send(frame(FrameKind.LIST) + watches + frame(FrameKind.LIST_END))
            while not carrier.count_listed():
                await trio.lowlevel.checkpoint()
            yield found
    finally:
        carrier.close_all()
        theirs.close()
