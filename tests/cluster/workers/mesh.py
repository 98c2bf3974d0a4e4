"""Nodes with lines to one another: several runtimes in one trio run, over real socket pairs."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import combinations

import trio
from trio.testing import wait_all_tasks_blocked

from phxactor.cluster import Cluster, Gap, LocalNode, Node, NodeDown, NodeUp, this_node
from phxactor.cluster.carriers.workers import Workers
from phxactor.envelope import MAX_MESSAGE_BYTES, Kind, Message
from phxactor.runtime import Pid, open_runtime, self_pid, set_port, whereis
from tests.patience import PATIENCE

GROUP = b"the same"


class Member:
    """A node in its own runtime, and what it was told."""

    def __init__(self, number: int, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self.name = f"test@here/{number}"
        self.workers = Workers()
        self.cluster = Cluster(self.workers, name=self.name, group=GROUP, max_message_bytes=max_message_bytes)
        self.node: LocalNode
        self.pid: Pid
        self.got: list[tuple[str, bytes]] = []
        """Sender's name and payload of each broadcast that came."""
        self.told: list[object] = []
        """What a monitoring process was told."""
        self._stop = trio.Event()
        self._stopped = trio.Event()
        self._scope = trio.CancelScope()

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        """Be a node until `stop`."""
        with self._scope:
            async with open_runtime():
                (await self.cluster.start_link()).unwrap()
                node = this_node()
                assert node is not None
                self.node = node
                node.handle(Kind.BROADCAST, self.take)
                node.monitor(self_pid())
                set_port(self.told.append)
                pid = whereis("cluster")
                assert pid is not None
                self.pid = pid
                await wait_all_tasks_blocked()
                task_status.started()
                await self._stop.wait()
        self.workers.close_all()
        self._stopped.set()

    async def stop(self) -> None:
        """End in order."""
        self._stop.set()
        await self._stopped.wait()

    def process(self) -> Pid:
        """Return the process of its lines."""
        (found,) = [pid for pid in self.pid.runtime.processes.values() if pid.initial_call == "Workers"]
        return found

    def take(self, sender: Node | None, message: Message) -> None:
        """Keep a broadcast that came."""
        self.got.append(("" if sender is None else sender.name, message.payload))

    def say(self, topic: str, payload: bytes) -> None:
        """Broadcast on a topic."""
        self.node.publish(Message(Kind.BROADCAST, "pubsub", topic, "said", payload))

    def payloads(self) -> list[bytes]:
        """Return the payloads that came, in order."""
        return [payload for _, payload in self.got]

    def gaps(self) -> list[str]:
        """Return whose gaps were told."""
        return [one.node.name for one in self.told if isinstance(one, Gap) and one.node is not None]

    def came_and_went(self) -> list[tuple[str, str]]:
        """Return who was up or down, in order: name and `up` or the reason."""
        said: list[tuple[str, str]] = []
        for one in self.told:
            if isinstance(one, NodeUp):
                said.append((one.node.name, "up"))
            elif isinstance(one, NodeDown):
                said.append((one.node.name, one.reason))
        return said


def connect(one: Member, other: Member) -> None:
    """Give two nodes a line."""
    left, right = socket.socketpair()
    one.workers.add_line(other.node.identity, left)
    other.workers.add_line(one.node.identity, right)


@asynccontextmanager
async def members(number: int, max_message_bytes: int = MAX_MESSAGE_BYTES) -> AsyncIterator[list[Member]]:
    """Run nodes without lines."""
    all_of_them = [Member(each, max_message_bytes) for each in range(1, number + 1)]
    async with trio.open_nursery() as nursery:
        for one in all_of_them:
            await nursery.start(one.run)
        yield all_of_them
        for one in all_of_them:
            await one.stop()


@asynccontextmanager
async def mesh(number: int, max_message_bytes: int = MAX_MESSAGE_BYTES) -> AsyncIterator[list[Member]]:
    """Run nodes, each with a line to each other, that see one another."""
    async with members(number, max_message_bytes) as all_of_them:
        for one, other in combinations(all_of_them, 2):
            connect(one, other)
        await until(lambda: all(one.workers.count_listed() == number - 1 for one in all_of_them))
        yield all_of_them


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until something holds. The limit is one of real time, since the test's clock stands still here."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it does not come to hold"
        await trio.lowlevel.checkpoint()
