"""What it costs the server, in memory, to be attacked: what was promised, and no more."""

from __future__ import annotations

import zlib
from typing import Any

import orjson
import pytest
import trio

from tests.attacks.server import BOUND
from tests.attacks.target import CLIENTS, FLOOD, MARKS, MEGABYTE, SLACK, attacked, pour
from tests.conformance.client import Client, Closed
from tests.transport.frames import BINARY, CONT, TEXT, frame

pytestmark = MARKS


async def join(client: Client, topic: str = "room:1") -> None:
    reply: Any = await client.ask(["1", "1", topic, "phx_join", {}])
    assert reply[4]["status"] == "ok"


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("policy", ["/close", "/drop"])
async def test_a_gigabyte_is_broadcast_to_clients_that_never_read(policy: str, tls: bool) -> None:
    """All of them together are sent a gigabyte."""
    async with attacked(tls=tls) as target:
        clients = [await target.connect(policy) for _ in range(CLIENTS)]
        for client in clients:
            await join(client)
        before = target.peak()
        assert await target.broadcast(1000 // CLIENTS) > 1_000
        assert target.peak() - before < CLIENTS * 2 * BOUND + SLACK
        # Either they are closed, behind what they have been sent; or they are still there, and answered.
        for client in clients:
            if policy == "/close":
                assert (await client.until_closed())[1] == Closed(1013)
            else:
                await client.send(["1", "last", "room:1", "echo", {}])
                while (await client.json())[1] != "last":  # type: ignore[index]
                    pass
            await trio.aclose_forcefully(client.stream)


@pytest.mark.parametrize("policy", ["/close", "/drop"])
async def test_a_gigabyte_is_broadcast_to_sessions_that_are_not_polled(policy: str) -> None:
    async with attacked() as target:
        path = f"{policy}/longpoll?vsn=2.0.0"

        async def ask(method: str, query: str = "", body: bytes = b"") -> Any:  # noqa: ANN401
            head = f"{method} {path}{query} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n"
            answer = await target.ask(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            return orjson.loads(answer.split(b"\r\n\r\n", 1)[1])

        for _ in range(CLIENTS):
            token = (await ask("GET"))["token"]
            body = orjson.dumps(["1", "1", "room:1", "phx_join", {}])
            assert (await ask("POST", f"&token={token}", body))["status"] == 200
        before = target.peak()
        await target.broadcast(1000 // CLIENTS)
        assert target.peak() - before < CLIENTS * 2 * BOUND + SLACK


@pytest.mark.parametrize(
    ("path", "data"),
    [
        pytest.param("/close", ["1", "2", "room:1", "echo", "x" * 60_000], id="replies that nobody reads"),
        pytest.param("/drop", ["1", "2", "room:1", "echo", "x" * 60_000], id="replies that are not dropped"),
        pytest.param("/close", ["1", "2", "room:1", "stuck", "x" * 900_000], id="a channel that is stuck"),
        pytest.param("/close", ["1", "2", "room:1", "stuck", 0], id="small messages to a channel that is stuck"),
        pytest.param("/close", ["2", "2", "room:pending", "echo", "x" * 900_000], id="a join that is pending"),
        pytest.param("/close", ["2", "2", "room:pending", "echo", 0], id="small messages to a join that is pending"),
        pytest.param("/raw", ["x" * 900_000], id="a raw socket that is stuck"),
        pytest.param("/raw", [], id="small messages to a raw socket that is stuck"),
        pytest.param("/limited", ["1", "2", "room:1", "echo", "x" * 60_000], id="a rate limit"),
        pytest.param("/limited", ["1", None, "room:1", "echo", 0], id="a rate limit, without answers"),
    ],
)
async def test_clients_that_send_as_much_as_they_can(path: str, data: object) -> None:
    text = orjson.dumps(data)
    flood = frame(TEXT, text) * max(1, 60_000 // len(text))
    async with attacked() as target:
        clients = [await target.connect(path) for _ in range(CLIENTS)]
        if path != "/raw":
            for client in clients:
                await join(client)
                await client.send(["2", "1", "room:pending", "phx_join", {}])
        before = target.peak()
        async with trio.open_nursery() as nursery:
            for client in clients:
                nursery.start_soon(pour, client.stream, flood, FLOOD)
        # A message that has been decoded weighs more than it did: some 20 times when it is as small as can be.
        assert target.peak() - before < CLIENTS * 4 * BOUND + SLACK
        for client in clients:
            await trio.aclose_forcefully(client.stream)


ROOMS = [f"room:{number}" for number in range(200)]
"""More than one connection may have."""


@pytest.mark.parametrize(
    ("path", "messages", "seconds"),
    [
        pytest.param("/close", [["1", "1", "room:1", "phx_join", {}]], 2 * FLOOD, id="of one topic again and again"),
        pytest.param("/close", [["1", "1", topic, "phx_join", {}] for topic in ROOMS], FLOOD, id="of many topics"),
        pytest.param(
            "/close",
            [["1", "1", topic, event, {}] for topic in ROOMS for event in ("phx_join", "phx_leave")],
            FLOOD,
            id="and leaves",
        ),
        pytest.param("/hurried", [["1", "1", topic, "phx_join", {}] for topic in ROOMS], FLOOD, id="at a limited rate"),
        pytest.param(
            "/close",
            [["1", "1", f"room:pending{number}", "phx_join", {}] for number in range(200)],
            3 * FLOOD,  # they are small, and need their time to become too many
            id="that are pending",
        ),
        pytest.param(
            "/close",
            [["1", "1", f"room:pending{number}", "phx_join", "x" * 900_000] for number in range(50)],
            FLOOD,
            id="that are pending, with much in them",
        ),
    ],
)
async def test_joins(path: str, messages: list[object], seconds: float) -> None:
    flood = b"".join(frame(TEXT, orjson.dumps(message)) for message in messages)
    async with attacked() as target:
        clients = [await target.connect(path) for _ in range(CLIENTS)]
        before = target.peak()
        async with trio.open_nursery() as nursery:
            for client in clients:
                nursery.start_soon(pour, client.stream, flood, seconds)
        assert target.peak() - before < CLIENTS * 4 * BOUND + SLACK
        for client in clients:
            await trio.aclose_forcefully(client.stream)


async def test_messages_that_are_small_when_compressed() -> None:
    """Four megabytes of zeros in four kilobytes: over `max_frame_size`, and a hundred times just under it."""
    deflate = zlib.compressobj(wbits=-12)
    bomb = deflate.compress(b'["1","2","room:1","stuck","' + b"0" * 1_000_000 + b'"]') + deflate.flush(
        zlib.Z_SYNC_FLUSH
    )
    flood = frame(TEXT, bomb[:-4], bits=0x40)
    async with attacked() as target:
        clients = [await target.connect("/compressed", compress=True) for _ in range(CLIENTS)]
        for client in clients:
            await join(client)
        before = target.peak()
        async with trio.open_nursery() as nursery:
            for client in clients:
                nursery.start_soon(pour, client.stream, flood, FLOOD)
        assert target.peak() - before < CLIENTS * 6 * BOUND + SLACK
        for client in clients:
            await trio.aclose_forcefully(client.stream)


async def test_who_is_closed_is_not_listened_to_for_long() -> None:
    flood = frame(TEXT, b'["1",null,"room:1","echo",0]') * 1000
    async with attacked() as target:
        client = await target.connect("/limited")
        await join(client)
        assert await pour(client.stream, flood, 5.0) < 40 * MEGABYTE
        await trio.aclose_forcefully(client.stream)


@pytest.mark.parametrize("size", [0, 1, 7])
async def test_messages_that_never_end(size: int) -> None:
    flood = frame(CONT, b"x" * size, fin=False) * 1000
    async with attacked() as target:
        clients = [await target.connect("/close") for _ in range(CLIENTS)]
        before = target.peak()
        async with trio.open_nursery() as nursery:
            for client in clients:
                await client.send_bare(frame(BINARY, b"", fin=False))
                nursery.start_soon(pour, client.stream, flood, FLOOD)
        assert target.peak() - before < CLIENTS * 2 * BOUND + SLACK
        for client in clients:
            await trio.aclose_forcefully(client.stream)
