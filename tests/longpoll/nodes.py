"""Several nodes that serve one endpoint, in one loop and in virtual time; their lines are late, lose and break."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import attrs
import trio

from phxactor import KILL, Application, Endpoint, LongPollOptions, Ok, Pid, Request, Response, Socket, mount
from phxactor.endpoint import ROOT, DrainOptions, Serving
from phxactor.endpoint._longpoll import SALT
from phxactor.endpoint._relay import Relay, RelayStatistics
from phxactor.endpoint._relay_requests import RemoteSession
from phxactor.envelope import MAX_MESSAGE_BYTES
from phxactor.otp import Supervisor
from phxactor.runtime import own
from phxactor.testing import Nodes, Simulated, SimulatedNode, cluster
from phxactor.token import verify
from tests.longpoll import polling
from tests.longpoll.polling import PATIENCE, PEER, UserSocket

SECRET: Final = "a secret of all nodes, of at least twenty bytes"
DELAY: Final = 0.001
"""Seconds that a message takes, at least."""
BEAT: Final = 1.0
"""Seconds from one beat of a node to the next: what was lost is noticed then at the latest."""


@attrs.define(eq=False)
class Server:
    """A node that serves the endpoint."""

    node: SimulatedNode
    endpoint: Endpoint

    @property
    def serving(self) -> Serving:
        serving = Serving.found(self.endpoint.name, self.node.runtime)
        assert serving is not None
        return serving

    @property
    def relay(self) -> Relay:
        relay = self.serving.relay
        assert relay is not None
        return relay

    def sessions(self) -> list[Pid]:
        return [pid for pid in self.node.runtime.processes.values() if pid.initial_call == "LongPollSession"]

    async def news(self, *numbers: int, text: str = "", topic: str = "room:1") -> None:
        """Have the program broadcast here."""

        async def tell() -> None:
            for number in numbers:
                self.endpoint.local_broadcast(topic, "news", [number, text])

        await self.node.run(tell)

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

        pid = server.node.spawn(ask)
        self.asking.append(pid)
        await ended(pid)
        self.asking.remove(pid)
        if not answers or server not in self.house.servers + self.house.leaving:
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

    nodes: Nodes
    chance: random.Random
    servers: list[Server]
    """Those that live."""
    leaving: list[Server] = attrs.field(factory=list)
    """Those that have been stopped in order."""

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

    async def leave(self, server: Server) -> None:
        """Stop the endpoint of a node in order; new requests go to the others."""
        self.leaving.append(server)
        self.servers.remove(server)
        await server.node.run(Supervisor.terminate_child, ROOT, server.endpoint.name)

    async def kill(self, server: Server) -> None:
        """Kill a node; the others notice at once."""
        self.servers.remove(server)
        await server.node.kill()
        await trio.sleep(2 * DELAY)

    async def restart(self, server: Server) -> None:
        """Start a node that was killed."""
        await self.nodes.restart(server.node)
        self.servers.append(server)

    def lose(self, sender: Server, receiver: Server) -> None:
        """Lose all that one node says to another from now on, until `hear`."""
        self.nodes.network.deafen(receiver.node.name, to=sender.node.name)

    def hear(self) -> None:
        """Lose nothing more."""
        self.nodes.network.heal()

    def coming(self, sender: Server, receiver: Server) -> int:
        """Return the bytes that are on their way from one node to another."""
        (one,), (other,) = sender.node.carriers, receiver.node.carriers
        assert isinstance(one, Simulated)
        assert isinstance(other, Simulated)
        return self.nodes.network.wire(one, other).waiting


@asynccontextmanager
async def house(
    number: int = 2,
    options: LongPollOptions | None = None,
    handler: type[Socket] = UserSocket,
    *,
    drain: DrainOptions | None = None,
    seed: int = 0,
    uneven: bool = False,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
) -> AsyncIterator[House]:
    """Open the endpoint on some nodes."""
    longpoll = options or LongPollOptions(check_origin=False)
    mounts = [mount(path, handler, longpoll=longpoll) for path in ("/socket", "/other")]
    endpoint = Endpoint(sockets=mounts, drain=drain, secret_key_base=SECRET)
    application = Application(endpoints=[endpoint])
    async with cluster(
        number,
        children=lambda: [application.child_spec(server=False)],
        max_message_bytes=max_message_bytes,
        delay=DELAY,
        uneven=uneven,
        seed=seed,
    ) as nodes:
        await trio.sleep(2 * BEAT)
        yield House(nodes, random.Random(seed), [Server(node, endpoint) for node in nodes])  # noqa: S311


NOTHING = {"status": 204, "token": "<token>", "messages": []}
WINDOW = LongPollOptions().window


@asynccontextmanager
async def remote(
    number: int = 2,
    options: LongPollOptions | None = None,
    **given: Any,  # noqa: ANN401
) -> AsyncIterator[tuple[House, Server, Server, Client]]:
    """Open a session on one node, join there, and send what follows to another one."""
    async with house(number, options, **given) as it:
        here, there = it.servers[:2]
        client = await it.opened(at=here)
        client.at = there
        await client.join("room:1")
        yield it, here, there, client


def news(*numbers: int, text: str = "") -> list[object]:
    return [[None, None, "room:1", "news", [number, text]] for number in numbers]


class Later:
    """What a request that waits has as its answer, later."""

    def __init__(self, nursery: trio.Nursery, ask: Callable[[], Awaitable[object]]) -> None:
        self.answer: object = None
        self.done = trio.Event()
        nursery.start_soon(self._run, ask)

    async def _run(self, ask: Callable[[], Awaitable[object]]) -> None:
        try:
            self.answer = await ask()
        except LeftError:
            self.answer = LeftError
        self.done.set()

    async def get(self) -> object:
        await self.done.wait()
        return self.answer


async def publish_by_hand(
    server: Server, client: Client, size: int, body: bytes, meanwhile: Callable[[], Awaitable[None]] | None = None
) -> HTTPStatus:
    """Publish a body with an announced size, in a process; do something once there is room for it."""
    verified = verify(SECRET, SALT, client.token)
    assert isinstance(verified, Ok)
    session = server.relay.find(verified.value, server.endpoint.longpolls[client.path])
    assert isinstance(session, RemoteSession)
    publication = session.publication(size, lines=False)
    try:
        if publication.admit is not None and (refused := await publication.admit()) is not None:
            return refused
        if meanwhile is not None:
            await meanwhile()
        return await publication.publish(body)
    finally:
        publication.end()
