"""A node that does only what a test says: one end of a line, as bytes."""

from __future__ import annotations

import socket

import trio

from phxactor.cluster import Node, new_node
from phxactor.cluster.carriers.workers._frames import FrameKind, FrameReader, decode_lanes, frame
from phxactor.envelope import Kind, Message, encode
from tests.cluster.workers.mesh import GROUP, Member, until
from tests.patience import PATIENCE


class Puppet:
    """The other end of a line of a member. It reads and writes when it is told to."""

    def __init__(self, member: Member, name: str = "puppet@here/9", identity: Node | None = None) -> None:
        self.node = new_node(name, GROUP) if identity is None else identity
        self.sock, other = socket.socketpair()
        self.sock.settimeout(0)
        self.reader = FrameReader(2**30)
        self.number = 0
        """Of the last message that it sent."""
        member.workers.add_line(self.node, other)

    def put(self, data: bytes) -> None:
        """Write raw bytes; there is room for them."""
        assert self.sock.send(data) == len(data)

    async def put_all(self, data: bytes) -> None:
        """Write raw bytes, as fast as they are taken."""
        rest = memoryview(data)
        with trio.fail_after(PATIENCE):
            while rest:
                try:
                    rest = rest[self.sock.send(rest) :]
                except BlockingIOError:
                    await trio.lowlevel.checkpoint()

    def frame(self, kind: FrameKind, number: int = 0, body: bytes = b"") -> None:
        """Write a frame."""
        self.put(frame(kind, number, body))

    def begin(self) -> None:
        """Watch nothing."""
        self.put(frame(FrameKind.LIST) + frame(FrameKind.LIST_END, 0))

    def message(self, payload: bytes, topic: str = "news") -> bytes:
        """Return the next message as a frame."""
        self.number += 1
        body = encode(Message(Kind.BROADCAST, "pubsub", topic, "said", payload), 2**30)
        return frame(FrameKind.MESSAGE, self.number, body)

    def take(self) -> list[tuple[FrameKind, int, bytes]]:
        """Return the frames that have come so far."""
        got: list[tuple[FrameKind, int, bytes]] = []
        while True:
            try:
                data = self.sock.recv(2**20)
            except BlockingIOError:
                break
            if not data:
                break
            self.reader.feed(data)
            while (one := self.reader.next()) is not None:
                kind, number, body = one
                assert body is not None
                got.append((FrameKind(kind), number, body))
        return got

    async def take_for(self, seconds: float) -> list[tuple[FrameKind, int, bytes]]:
        """Return the frames that come within so many seconds of the test's clock."""
        got: list[tuple[FrameKind, int, bytes]] = []
        end = trio.current_time() + seconds
        while trio.current_time() < end:
            got += self.take()
            await trio.sleep(min(0.01, end - trio.current_time()))
        return got + self.take()

    def is_cut_off(self) -> bool:
        """Say whether the member has closed the line; drops what has come."""
        try:
            while self.sock.recv(2**20):
                pass
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True
        return True

    def close(self) -> None:
        """End, as a process that is killed."""
        self.sock.close()


def lanes_of(frames: list[tuple[FrameKind, int, bytes]]) -> set[str]:
    """Return the lanes that are watched after these frames."""
    lanes: set[str] = set()
    for kind, _, body in frames:
        if kind == FrameKind.LIST:
            lanes.clear()
        elif kind == FrameKind.WATCH:
            lanes.update(decode_lanes(body))
        elif kind == FrameKind.UNWATCH:
            lanes.difference_update(decode_lanes(body))
    return lanes


async def seen(member: Member, puppet: Puppet) -> None:
    """Have a puppet begin, and wait until its node is up."""
    puppet.begin()
    await until(lambda: member.workers.count_listed() == len(member.workers.lines))
