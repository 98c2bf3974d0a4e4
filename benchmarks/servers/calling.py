"""Two nodes that are joined by a line, as two workers are: a process of `asks` calls a GenServer of `answers`.

`asks` says `ready`, calls when it reads a line, and says `done` with the bytes that a call has sent and received; 0 and
0 unless it was told to count them.
"""

from __future__ import annotations

import logging
import socket
import sys
from functools import partial

import trio

import phxactor
from phxactor import Exit, From, GenServer, Pid, Reply, Supervisor, call, self_pid
from phxactor.cluster import Cluster, new_node, nodes
from phxactor.cluster.carriers.workers import Workers
from phxactor.distribution import child_spec

GROUP = b"one host"
WARMUP = 200
"""Calls before it says that it is ready."""


class Counter(GenServer):
    """Adds up."""

    async def init(self) -> None:
        """Begin with nothing."""
        self.count = 0

    async def handle_call(self, request: int, from_: From) -> Reply:
        """Say which process it is, or add a number; sums have one byte, as the number has."""
        if not request:
            return Reply(self_pid())
        self.count = (self.count + request) & 63
        return Reply(self.count)


class Counted(socket.socket):
    """A socket that counts the bytes that go by it."""

    sent = received = 0

    def send(self, data: memoryview) -> int:  # type: ignore[override]
        """Send, and count."""
        count = super().send(data)
        self.sent += count
        return count

    def recv(self, size: int) -> bytes:  # type: ignore[override]
        """Receive, and count."""
        data = super().recv(size)
        self.received += len(data)
        return data


def _id(side: str, size: int) -> bytes:
    """Return the id of a side: both know it."""
    return side.encode().ljust(size)[:size]


async def _counter() -> Pid:
    """Wait for the other side; return its process."""
    while True:
        try:
            counter: Pid = await call(("counter", nodes()[0]), 0)
        except (IndexError, Exit):
            await trio.sleep(0.01)
        else:
            return counter


async def main(side: str, sock: socket.socket, calls: int) -> None:
    """Have the line, and ask or answer until the process is killed."""
    carrier = Workers()
    other = "answers" if side == "asks" else "asks"
    carrier.add_line(new_node(other, GROUP, partial(_id, other)), sock)
    cluster = Cluster(carrier, name=side, group=GROUP, random=partial(_id, side))
    children = [cluster, child_spec(), Counter.child_spec(name="counter")]
    (await Supervisor.start_link(children, strategy="rest_for_one")).unwrap()
    if side == "answers":
        await phxactor.receive()
    counter = await _counter()
    for _ in range(WARMUP):
        await call(counter, 1)
    before = (sock.sent, sock.received) if isinstance(sock, Counted) else (0, 0)
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(calls):
        await call(counter, 1)
    after = (sock.sent, sock.received) if isinstance(sock, Counted) else (0, 0)
    print("done", *((now - was) // calls for now, was in zip(after, before, strict=True)), flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    kind = Counted if "count" in sys.argv[4:] else socket.socket
    logging.disable(logging.WARNING)  # the other side is killed at the end, which is no news
    phxactor.run(main, sys.argv[1], kind(fileno=int(sys.argv[2])), int(sys.argv[3]))
