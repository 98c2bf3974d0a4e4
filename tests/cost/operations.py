"""What is counted: messages on their way through sockets, endpoint, transport and channel, or between processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, TypeAlias

import attrs

from phxactor import self_pid
from phxactor.cluster import Cluster
from phxactor.envelope import Kind, Message, encode
from phxactor.runtime import Down, Pid, monitor, open_runtime, receive, spawn
from tests.conformance import zoo
from tests.cost.clients import Client, connect, push, until
from tests.cost.counting import counting
from tests.cost.lines import pair
from tests.cost.nodes import OTHER, Nowhere

CLIENTS: Final = 20
MEMBERS: Final = 100
TOPICS: Final = 50
WINDOW: Final = 8
TURNS: Final = 50
ROUNDS: Final = 4
"""How often each is done; the first time, caches fill, and the least of the others counts."""
PAYLOAD: Final = '{"d":"' + "x" * 56 + '"}'

Work: TypeAlias = Callable[[], Awaitable[int]]
"""Does something, and returns how many times."""


async def counted(work: Work) -> int:
    """Return the instructions of one operation."""
    found = []
    for _ in range(ROUNDS):
        with counting() as counter:
            operations = await work()
        found.append(counter.instructions / operations)
    return round(min(found[1:]))


@attrs.frozen
class Crowd:
    """Clients of a zoo, each with a topic of its own, or all with one."""

    port: int
    clients: list[Client]

    async def echo(self, window: int = 1) -> int:
        """Have each send so many at once."""
        for number, client in enumerate(self.clients):
            client.send(push(f"bench:{number}", "echo", PAYLOAD) * window)
        await until(self.clients, b"phx_reply", window)
        return len(self.clients) * window

    async def shout(self) -> int:
        """Have one of them shout to all."""
        self.clients[0].send(push("bench:all", "shout", PAYLOAD))
        await until(self.clients, b"shout")
        return len(self.clients)

    async def join(self) -> int:
        """Have as many others connect and join."""
        self.clients.extend(await connect(self.port, [f"bench:{number}" for number in range(CLIENTS)]))
        return CLIENTS


@asynccontextmanager
async def crowd(*topics: str, carrier: Nowhere | None = None) -> AsyncIterator[Crowd]:
    """Open a zoo to clients that have joined these; with a carrier it is a node of a cluster."""
    async with open_runtime():
        if carrier is not None:
            (await Cluster(carrier).start_link()).unwrap()
        await zoo.endpoint.start_link(port=0)
        assert zoo.endpoint.address is not None
        port = zoo.endpoint.address.port
        found = Crowd(port, await connect(port, topics))
        try:
            yield found
        finally:
            for client in found.clients:
                client.close()


OWN: Final = [f"bench:{number}" for number in range(CLIENTS)]


async def echo() -> int:
    """Count an echo, one from each client at a time."""
    async with crowd(*OWN) as there:
        return await counted(there.echo)


async def echo_of_8() -> int:
    """Count an echo, eight from each client at a time."""
    async with crowd(*OWN) as there:
        return await counted(lambda: there.echo(WINDOW))


async def multi() -> int:
    """Count an echo, eight from one client with many topics at a time."""
    async with crowd("bench:0") as there:
        (client,) = there.clients
        for number in range(1, TOPICS):
            client.send(push(f"bench:{number}", "phx_join"))
        await until([client], b"phx_reply", TOPICS - 1)

        async def exchange() -> int:
            client.send(b"".join(push(f"bench:{number}", "echo", PAYLOAD) for number in range(WINDOW)))
            await until([client], b"phx_reply", WINDOW)
            return WINDOW

        return await counted(exchange)


async def delivery() -> int:
    """Count a broadcast, for each of many members."""
    async with crowd(*["bench:all"] * MEMBERS) as there:
        return await counted(there.shout)


async def delivery_in_cluster() -> int:
    """Count a broadcast that also goes to other nodes, for each of many members here."""
    async with crowd(*["bench:all"] * MEMBERS, carrier=Nowhere()) as there:
        return await counted(there.shout)


async def delivery_from_node() -> int:
    """Count a broadcast that another node has sent, for each of many members here."""
    carrier = Nowhere()
    async with crowd(*["bench:all"] * MEMBERS, carrier=carrier) as there:
        text = encode(Message(Kind.BROADCAST, zoo.endpoint.pubsub.name, "bench:all", "shout", PAYLOAD.encode()))

        async def arrive() -> int:
            carrier.node.received(carrier, OTHER.id, text)
            await until(there.clients, b"shout")
            return len(there.clients)

        return await counted(arrive)


async def broadcast_to_nodes() -> int:
    """Count a broadcast to other nodes that nobody here has joined."""
    payload = {"d": "x" * 56}
    async with crowd(carrier=Nowhere()):

        async def publish() -> int:
            for _ in range(TURNS):
                zoo.endpoint.broadcast("bench:all", "shout", payload)
            return TURNS

        return await counted(publish)


async def join() -> int:
    """Count a client that connects and joins."""
    async with crowd(*OWN) as there:
        return await counted(there.join)


async def round_trip() -> int:
    """Count a message to another process and its answer."""
    async with open_runtime():
        partner = spawn(_answer, self_pid())

        async def exchange() -> int:
            for _ in range(TURNS):
                partner.send(None)
                await receive()
            return TURNS

        return await counted(exchange)


async def _answer(asker: Pid) -> None:
    while True:
        await receive()
        asker.send(None)


async def spawning() -> int:
    """Count a process from its start until somebody has heard of its end."""
    async with open_runtime():

        async def exchange() -> int:
            for _ in range(TURNS):
                monitor(spawn(_nothing))
                assert isinstance(await receive(), Down)
            return TURNS

        return await counted(exchange)


async def _nothing() -> None:
    pass


async def sent_over_a_line(window: int) -> int:
    """Count a message sent over a line, so many in a pass."""
    async with pair() as line:
        return await counted(lambda: line.send(window))


async def received_over_a_line(window: int) -> int:
    """Count a message received over a line, so many at once, beside its deliveries."""
    async with pair() as line:
        return await counted(lambda: line.receive(window))


OPERATIONS: Final[dict[str, Callable[[], Awaitable[int]]]] = {
    "echo": echo,
    "echo, eight outstanding": echo_of_8,
    "echo, eight outstanding on 50 topics": multi,
    "delivery": delivery,
    "delivery, with other nodes": delivery_in_cluster,
    "delivery from another node": delivery_from_node,
    "broadcast to other nodes": broadcast_to_nodes,
    "connect and join": join,
    "round trip between processes": round_trip,
    "process from start to end": spawning,
    "message sent over a line": partial(sent_over_a_line, 1),
    "message sent over a line, 20 in a pass": partial(sent_over_a_line, 20),
    "message received over a line": partial(received_over_a_line, 1),
    "message received over a line, 20 at once": partial(received_over_a_line, 20),
}
