"""Several nodes that serve one endpoint, in one loop and in virtual time; their lines are late, lose and break."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlencode

import attrs
import trio

from phxactor import (
    KILL,
    SHUTDOWN,
    Endpoint,
    Exited,
    LongPollOptions,
    Pid,
    Request,
    Response,
    Socket,
    mount,
    open_runtime,
    receive,
    trap_exit,
)
from phxactor.cluster import Cluster, LocalNode
from phxactor.endpoint import DrainOptions
from phxactor.endpoint._relay import Relay, RelayStatistics
from phxactor.endpoint._serving import Serving
from phxactor.envelope import MAX_MESSAGE_BYTES
from phxactor.runtime import Runtime, own
from tests.cluster.in_memory import InMemory
from tests.longpoll import polling
from tests.longpoll.polling import PATIENCE, PEER, UserSocket

SECRET: Final = "a secret of all nodes, of at least twenty bytes"
DELAY: Final = 0.001
"""Seconds that a message takes, at least."""
BEAT: Final = 1.0


class Line(InMemory):
    """A carrier whose messages take their time, in order, and may be lost; a loss is told before what follows."""

    def __init__(self, others: list[InMemory], chance: random.Random) -> None:
        super().__init__(others)
        self.chance = chance
        self.jitter = 0.0
        """Seconds that a message may take longer."""
        self.dead = False
        self.deaf: set[Line] = set()
        """Lines of which nothing comes any more."""
        self.missed: dict[Line, float] = {}
        """Lines of which something was lost, and since when."""
        self.last: dict[Line, float] = {}
        self.nursery: trio.Nursery
        self.coming = 0
        """Bytes that are on their way here."""

    async def _run(self) -> None:
        async with trio.open_nursery() as self.nursery:
            self.nursery.start_soon(super()._run)
            while True:
                await trio.sleep(BEAT)
                self.publish_to_all(b"")

    def send(self, to: bytes, message: bytes) -> bool:
        for one in self._connected():
            assert isinstance(one, Line)
            if one.node.id == to and not one.dead and not self.dead:
                one.take(self, message)
                return True
        return False

    def publish_to_all(self, message: bytes) -> None:
        for one in self._connected():
            self.send(one.node.id, message)

    def take(self, other: Line, message: bytes) -> None:
        """Have a message come, in its time."""
        now = trio.current_time()
        if other in self.deaf:
            self.missed.setdefault(other, now)
            return
        when = max(self.last.get(other, 0.0), now + DELAY + self.chance.random() * self.jitter)
        self.last[other] = when = when + 1e-9
        self.coming += len(message)
        self.nursery.start_soon(self._come, other, message, when)

    async def _come(self, other: Line, message: bytes, when: float) -> None:
        await trio.sleep_until(when)
        self.coming -= len(message)
        if self.dead or other.dead:
            return
        if other in self.missed:
            self.node.gap(self, other.node.id, self.missed.pop(other))
        if message:
            self.node.received(self, other.node.id, message)


@attrs.define(eq=False)
class Server:
    """A node that serves the endpoint."""

    runtime: Runtime
    pid: Pid
    endpoint: Endpoint
    node: LocalNode
    line: Line
    scope: trio.CancelScope
    gone: trio.Event
    stop: trio.Event = attrs.field(factory=trio.Event)

    @property
    def serving(self) -> Serving:
        serving = Serving.found(self.endpoint.name, self.runtime)
        assert serving is not None
        return serving

    @property
    def relay(self) -> Relay:
        relay = self.serving.relay
        assert relay is not None
        return relay

    def sessions(self) -> list[Pid]:
        return [pid for pid in self.runtime.processes.values() if pid.initial_call == "LongPollSession"]

    async def news(self, *numbers: int, text: str = "", topic: str = "room:1") -> None:
        """Have the program broadcast here."""

        async def tell() -> None:
            for number in numbers:
                self.endpoint.broadcast(topic, "news", [number, text])

        await ended(self.runtime.spawn(tell))

    def quiet(self) -> bool:
        """Say whether no request waits, and none is known that is over."""
        return self.relay.statistics() == RelayStatistics(0, 0, 0)


@attrs.define
class Client(polling.Client):
    """A client whose requests go to the node `at`, or to any one."""

    house: House = attrs.field(kw_only=True)
    at: Server | None = attrs.field(default=None, kw_only=True)
    asking: list[Pid] = attrs.field(factory=list, kw_only=True)
    """The processes of the requests that wait."""

    async def request(
        self, method: str, body: bytes = b"", *, headers: Mapping[str, str] | None = None, query: str | None = None
    ) -> Response:
        """Send a request; if the process that sends it is killed, raise LeftError."""
        params = {"vsn": "2.0.0", **self.params} | ({} if self.token is None else {"token": self.token})
        pairs = tuple((name.encode(), value.encode()) for name, value in {**self.headers, **(headers or {})}.items())
        target = f"{self.path}?{urlencode(params) if query is None else query}"
        server = self.at or self.house.chance.choice(self.house.servers)
        answers: list[Response] = []

        async def ask() -> None:
            answers.append(await server.endpoint.answer(Request(method, target, pairs, body, peer=PEER)))

        pid = server.runtime.spawn(ask)
        self.asking.append(pid)
        await ended(pid)
        self.asking.remove(pid)
        if not answers or server.line.dead:
            raise LeftError
        return answers[0]

    def leave(self) -> None:
        """Abandon the requests that wait."""
        for pid in list(self.asking):
            pid.exit(KILL)


class LeftError(Exception):
    """The client has left before there was an answer, or its node has ended."""


async def ended(pid: Pid) -> None:
    """Wait for the end of a process, from outside of all runtimes."""
    done = trio.Event()
    own(pid, lambda _: done.set())
    with trio.fail_after(PATIENCE):
        await done.wait()


@attrs.define(eq=False)
class House:
    """The nodes that live."""

    chance: random.Random
    servers: list[Server] = attrs.field(factory=list)

    def client(self, at: Server | None = None, **params: str) -> Client:
        return Client(self.servers[0].endpoint, params, house=self, at=at)

    async def opened(self, at: Server | None = None, **params: str) -> Client:
        """Open a session, at one node; the later requests go anywhere."""
        client = self.client(at, **params)
        await client.open()
        client.at = None
        return client

    def other(self, server: Server) -> Server:
        """Return the next node."""
        return self.servers[(self.servers.index(server) + 1) % len(self.servers)]

    def stop(self, server: Server) -> None:
        """Stop a node in order, meanwhile; new requests go to the others."""
        self.servers.remove(server)
        server.stop.set()

    async def kill(self, server: Server) -> None:
        """Have a node end without a word; the others notice at once."""
        server.line.dead = True
        self.servers.remove(server)
        for one in self.servers:
            one.node.down(one.line, server.node.id, "lost")
        server.scope.cancel()
        await server.gone.wait()


def lose(sender: Server, receiver: Server) -> None:
    """Lose all that one node says to another from now on, until `hear`."""
    receiver.line.deaf.add(sender.line)


def hear(sender: Server, receiver: Server) -> None:
    """Let come again what one node says to another."""
    receiver.line.deaf.discard(sender.line)


@asynccontextmanager
async def house(
    number: int = 2,
    options: LongPollOptions | None = None,
    handler: type[Socket] = UserSocket,
    *,
    drain: DrainOptions | None = None,
    seed: int = 0,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
) -> AsyncIterator[House]:
    """Open the endpoint on some nodes."""
    longpoll = options or LongPollOptions(check_origin=False)
    mounts = [mount(path, handler, longpoll=longpoll) for path in ("/socket", "/other")]
    endpoint = Endpoint(sockets=mounts, drain=drain, secret_key_base=SECRET)
    it, lines = House(random.Random(seed)), list[InMemory]()  # noqa: S311

    async def live(task_status: trio.TaskStatus[None]) -> None:
        line = Line(lines, it.chance)
        gone = trio.Event()
        try:
            with trio.CancelScope() as scope:
                async with open_runtime() as runtime:
                    (await Cluster(line, max_message_bytes=max_message_bytes).start_link()).unwrap()
                    pid = (await endpoint.start_link(server=False)).unwrap()
                    server = Server(runtime, pid, endpoint, line.node, line, scope, gone)
                    it.servers.append(server)
                    task_status.started()
                    await server.stop.wait()
                    trap_exit()
                    pid.exit(SHUTDOWN)
                    await receive(lambda message: isinstance(message, Exited) and message.pid is pid)
        finally:
            gone.set()

    async with trio.open_nursery() as nursery:
        for _ in range(number):
            await nursery.start(live)
        await trio.sleep(2 * DELAY)
        yield it
        nursery.cancel_scope.cancel()
