"""Clients that leave while a handler of the program waits for something, and handlers that take too long."""

from __future__ import annotations

import math
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from phxactor.endpoint import _serving as serving_module
from phxactor.runtime import open_runtime
from tests.endpoint.waiting import HELLO, REQUESTS, WAYS, Waiting, connect, endpoint, listening, receive
from tests.patience import PATIENCE
from tests.sockets.serving import Server, eventually, serving

pytestmark = pytest.mark.socket


@asynccontextmanager
async def served(over: str, waiting: Waiting, path: Path) -> AsyncIterator[Server]:
    made = endpoint(waiting, **listening(over, path))
    async with open_runtime() as runtime:
        with pytest.MonkeyPatch.context() as patch:
            if over == "no epoll":
                patch.setattr(serving_module, "READER_AVAILABLE", False)
            (await made.start_link(port=None if over == "unix" else 0)).unwrap()
        yield Server(made, runtime)


@pytest.mark.parametrize("how", ["closes", "resets", "shuts down"])
@pytest.mark.parametrize("over", WAYS)
@pytest.mark.parametrize("what", REQUESTS)
async def test_a_client_that_leaves_cancels_what_it_waits_for(what: str, over: str, how: str, tmp_path: Path) -> None:
    waiting = Waiting()
    async with served(over, waiting, tmp_path) as server:
        before = server.processes()
        client = await connect(server, over)
        await client.stream.send_all(REQUESTS[what])
        await eventually(lambda: waiting.begun)
        await client.leave(how)
        await eventually(lambda: waiting.ended == ["Cancelled"])
        await eventually(lambda: server.processes() == before)
        await trio.aclose_forcefully(client.stream)


@pytest.mark.parametrize("over", WAYS)
async def test_what_comes_meanwhile_is_not_lost_and_no_leaving(over: str, tmp_path: Path) -> None:
    waiting = Waiting()
    async with served(over, waiting, tmp_path) as server:
        client = await connect(server, over)
        await client.stream.send_all(REQUESTS["route"] + HELLO)
        await eventually(lambda: waiting.begun)
        await client.stream.send_all(HELLO[:20])
        await trio.sleep(0.02)
        await client.stream.send_all(HELLO[20:] + REQUESTS["connect"])
        await trio.sleep(0.02)
        assert waiting.ended == []
        waiting.enough.set()
        answer = b""
        while b" 101 " not in answer:
            answer += await receive(client)
        assert [answer.count(text) for text in (b"waited", b"hello", b" 200 ")] == [1, 2, 3]
        await trio.aclose_forcefully(client.stream)


@pytest.mark.parametrize("over", ["plain", "tls", "unix"])
async def test_who_leaves_behind_bytes_that_nobody_has_read_has_left(over: str, tmp_path: Path) -> None:
    waiting = Waiting()
    async with served(over, waiting, tmp_path) as server:
        client = await connect(server, over)
        await client.stream.send_all(REQUESTS["route"])
        await eventually(lambda: waiting.begun)
        await client.stream.send_all(HELLO * 100)
        await client.leave("closes")
        await eventually(lambda: waiting.ended == ["Cancelled"])


@pytest.mark.parametrize("over", ["tls", "memory"])
async def test_what_is_read_ahead_is_bounded(over: str, tmp_path: Path) -> None:
    waiting = Waiting()
    many = 40_000  # 1.9 MB
    async with served(over, waiting, tmp_path) as server:
        client = await connect(server, over)
        await client.stream.send_all(REQUESTS["route"])
        await eventually(lambda: waiting.begun)
        sent = False

        async def send() -> None:
            nonlocal sent
            await client.stream.send_all(HELLO * many)
            sent = True

        async with trio.open_nursery() as nursery:
            if over == "tls":
                client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # type: ignore[union-attr]
            nursery.start_soon(send)
            await trio.sleep(0.2)
            # Memory takes it all at once, whoever reads or not; then it waits there.
            assert waiting.ended == []
            assert over == "memory" or not sent
            waiting.enough.set()
            seen = 0
            with trio.fail_after(10 * PATIENCE):
                while seen < 1000:
                    seen += (await receive(client)).count(b"hello")
            nursery.cancel_scope.cancel()
        await trio.aclose_forcefully(client.stream)


async def test_a_half_closed_client_is_answered_by_who_does_not_wait() -> None:
    async with serving(endpoint(Waiting())) as server:
        client = await connect(server, "plain")
        await client.stream.send_all(HELLO + HELLO)
        await client.leave("shuts down")
        assert (await receive(client, 2**20)).count(b"hello") == 2
        await client.stream.aclose()


async def test_handlers_that_wait_one_after_the_other_on_one_connection(tmp_path: Path) -> None:
    for over in WAYS:
        waiting = Waiting()
        waiting.wait = partial(trio.sleep, 0.001)
        async with served(over, waiting, tmp_path) as server:
            client = await connect(server, over)
            for _ in range(5):
                await client.stream.send_all(REQUESTS["route"])
                assert b"waited" in await receive(client)
            await client.leave("closes")
        assert waiting.ended == ["returned"] * 5


async def test_a_channel_behind_a_connect_that_waits(tmp_path: Path) -> None:
    for over in WAYS:
        waiting = Waiting()
        waiting.wait = partial(trio.sleep, 0.001)
        async with served(over, waiting, tmp_path) as server:
            client = await connect(server, over)
            await client.stream.send_all(REQUESTS["raw init"] + b"\x81\x83\0\0\0\0abc")
            answer = b""
            while b"\x81\x03abc" not in answer:
                answer += await receive(client)
            await client.leave("resets")


async def test_many_that_hang_are_let_go_when_they_leave() -> None:
    waiting = Waiting()
    async with serving(endpoint(waiting, connect_timeout=math.inf)) as server:
        before = server.processes()
        clients = [await connect(server, "plain") for _ in range(100)]
        for client in clients:
            await client.stream.send_all(REQUESTS["connect"])
        await eventually(lambda: len(waiting.begun) == 100)
        for number, client in enumerate(clients):
            await client.leave(["closes", "resets"][number % 2])
        await eventually(lambda: server.processes() == before)
        assert waiting.ended == ["Cancelled"] * 100
