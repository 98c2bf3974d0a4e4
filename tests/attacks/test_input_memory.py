"""What it costs the server, in memory, when messages wait: they count as what they are once they have been decoded."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import trio

from phxactor.http import MAX_BODY
from phxactor.socket._backlog import DENSE
from tests.attacks.server import BOUND, DENSE_SIZE
from tests.attacks.target import CLIENTS, MARKS, SLACK, Target, attacked, deflated, posting, pour, session
from tests.conformance.client import Client
from tests.transport.frames import TEXT, frame

pytestmark = MARKS

MOST = max(BOUND, DENSE * DENSE_SIZE) + DENSE * 65536
"""Bytes that one client's messages may take: what may wait, or one message; and what is read at once."""


async def join(client: Client, topic: str = "room:1") -> None:
    reply: Any = await client.ask(["1", "1", topic, "phx_join", {}])
    assert reply[4]["status"] == "ok"


def dense(event: str, topic: str = "room:1", size: int = DENSE_SIZE) -> bytes:
    """Make a message that takes as much as it can."""
    unit = b'{"":' * 150 + b"0" + b"}" * 150 + b","
    start = b'["1",null,"%s","%s",[' % (topic.encode(), event.encode())
    return start + unit * ((size - len(start) - 3) // len(unit)) + b"0]]"


async def crowd(target: Target, path: str, *, compress: bool = False) -> list[Client]:
    clients = [await target.connect(path, compress=compress) for _ in range(CLIENTS)]
    for client in clients:
        await join(client)
    return clients


async def leave(clients: list[Client]) -> None:
    for client in clients:
        await trio.aclose_forcefully(client.stream)


async def flooded(target: Target, clients: list[Client], flood: bytes, seconds: float = 1.0) -> int:
    """Have all clients send the same again and again; return by how much the program grew, and does not shrink."""
    before = target.peak()
    async with trio.open_nursery() as nursery:
        for client in clients:
            nursery.start_soon(pour, client.stream, flood, seconds)
    await leave(clients)
    await trio.sleep(0.5)  # their channels are as stuck as they were
    return target.peak() - before


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param(frame(TEXT, dense("stuck")), id="large"),
        pytest.param(frame(TEXT, dense("stuck", size=4000)) * 16, id="of middle size"),
        pytest.param(frame(TEXT, b'["1",null,"room:1","stuck",[' + b'{"":{"":0}},' * 18 + b"0]]") * 200, id="small"),
        pytest.param(frame(TEXT, b'["1",null,"room:1","stuck","' + b"x" * 60_000 + "😀".encode() + b'"]'), id="wide"),
    ],
)
async def test_objects_within_objects_to_a_channel_that_is_stuck(flood: bytes) -> None:
    async with attacked() as target:
        assert await flooded(target, await crowd(target, "/dense"), flood) < CLIENTS * MOST + SLACK


async def test_large_messages_beside_many_small_ones_that_are_taken() -> None:
    """What the one channel takes makes no room for what waits for the other."""
    small = frame(TEXT, b'["1",null,"room:1","quiet",0]') * 30
    large = frame(TEXT, b'["2",null,"room:2","stuck","' + b"x" * 60_000 + b'"]')
    async with attacked() as target:
        clients = await crowd(target, "/dense")
        for client in clients:
            await client.ask(["2", "2", "room:2", "phx_join", {}])
        assert await flooded(target, clients, small + large, 2.0) < CLIENTS * MOST + SLACK


async def test_many_channels_that_are_stuck_with_a_message_each() -> None:
    """What a handler has been given is in no mailbox, and counts all the same."""
    topics = [f"room:{number}" for number in range(1, 60)]
    async with attacked() as target:
        clients = await crowd(target, "/dense")
        for client in clients:
            for topic in topics[1:]:
                await client.ask(["1", "1", topic, "phx_join", {}])
        flood = b"".join(frame(TEXT, dense("stuck", topic)) for topic in topics)
        assert await flooded(target, clients, flood) < CLIENTS * MOST + SLACK


async def test_joins_that_wait_with_much_in_them() -> None:
    async with attacked() as target:
        clients = await crowd(target, "/dense")
        flood = b"".join(frame(TEXT, dense("phx_join", f"room:pending{number}")) for number in range(90))
        assert await flooded(target, clients, flood) < CLIENTS * MOST + SLACK


async def test_messages_for_a_join_that_waits() -> None:
    async with attacked() as target:
        clients = await crowd(target, "/dense")
        for client in clients:
            await client.send(["1", "1", "room:pending", "phx_join", {}])
        assert await flooded(target, clients, frame(TEXT, dense("echo", "room:pending"))) < CLIENTS * MOST + SLACK


async def test_objects_within_objects_in_few_bytes() -> None:
    """One read holds many messages, when they are compressed."""
    flood = frame(TEXT, deflated(dense("stuck")), bits=0x40)
    assert len(flood) < 1000
    async with attacked() as target:
        clients = await crowd(target, "/dense-compressed", compress=True)
        assert await flooded(target, clients, flood * 4) < CLIENTS * MOST + SLACK


async def test_texts_with_an_emoji_in_few_bytes_to_a_raw_socket_that_is_stuck() -> None:
    """A character of such a text takes four bytes."""
    text = "x" * 1_000_000 + "😀"
    flood = frame(TEXT, deflated(text.encode()), bits=0x40) * 20
    async with attacked() as target:
        clients = [await target.connect("/raw-compressed", compress=True) for _ in range(CLIENTS)]
        assert await flooded(target, clients, flood) < CLIENTS * 2 * 4 * len(text) + SLACK


# --------------------------------------------------------------------------------------------------- long poll


@pytest.mark.parametrize("stays", [True, False], ids=["who stay", "who leave"])
async def test_bodies_for_one_session_whose_channel_is_stuck(stays: bool) -> None:
    lines = [b'["1",null,"room:1","stuck","' + b"x" * 900_000 + b'"]'] * 10
    async with attacked() as target:
        where = await session(target)
        request = posting(where, b"\n".join(lines))
        before = target.peak()
        streams = [await target.stream() for _ in range(40)]
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(send_once, stream, request)
                if not stays:
                    await trio.sleep(0.02)
        if not stays:
            for stream in streams:
                await trio.aclose_forcefully(stream)
            await trio.sleep(0.5)
        # One body, twice while it is put together, and what its session has taken of it.
        assert target.peak() - before < 2 * MAX_BODY + MOST + SLACK
        for stream in streams:
            await trio.aclose_forcefully(stream)


async def send_once(stream: trio.abc.Stream, data: bytes) -> None:
    """Send, as far as it is taken within a time."""
    with trio.move_on_after(3), suppress(trio.BrokenResourceError):
        await stream.send_all(data)


@pytest.mark.parametrize("stays", [True, False], ids=["who stay", "who leave"])
async def test_bodies_that_come_in_chunks_for_one_session(stays: bool) -> None:
    chunk = b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n"
    async with attacked() as target:
        where = await session(target)
        before = target.peak()
        streams = [await target.stream() for _ in range(40)]
        head = f"POST {where} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(send_once, stream, head + chunk * 150)
        if not stays:
            for stream in streams:
                await trio.aclose_forcefully(stream)
        assert target.peak() - before < 2 * MAX_BODY + SLACK
        for stream in streams:
            await trio.aclose_forcefully(stream)
