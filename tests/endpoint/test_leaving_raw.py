"""Clients that leave while a handler of a raw socket, or a join, hangs: nothing of them stays behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
import trio
from trio.testing import MockClock

from phxactor import (
    NORMAL,
    Channel,
    Endpoint,
    GenServer,
    RawSocket,
    Shutdown,
    Socket,
    WebSocketOptions,
    channel,
    mount,
    send_after,
    trap_exit,
)
from phxactor.otp import NoReply, call
from phxactor.runtime import Reason, open_runtime, self_pid
from phxactor.transport._hanging_handler import LEAVING
from phxactor.transport._read_ahead import AHEAD
from phxactor.transport._websocket import STUCK
from tests.endpoint.waiting import WAYS, WEBSOCKET, Client, Waiting, connect, listening
from tests.sockets.serving import Server, eventually, passing
from tests.transport.frames import TEXT, frame

pytestmark = pytest.mark.socket

REQUEST: Final = f"GET /raw/websocket HTTP/1.1\r\nHost: app.test\r\n{WEBSOCKET}\r\n".encode()
JOINS: Final = f"GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: app.test\r\n{WEBSOCKET}\r\n".encode()
STEP: Final = 0.2
"""Seconds of the virtual clock at each look."""


class House:
    """A raw socket and joins that hang, and what became of them."""

    def __init__(self, timeout: float, over: str, path: Path) -> None:  # noqa: C901 - small classes
        self.waiting = waiting = Waiting()
        self.ended: list[Reason] = []
        self.taken: list[str] = []
        house = self

        class Raw(RawSocket):
            async def init(self) -> None:
                send_after(self_pid(), "hello", 0)

            async def handle_in(self, data: str | bytes) -> str:
                assert isinstance(data, str)
                if data == "call":
                    await call(server, "anything", timeout=None)
                if data == "hang":
                    await waiting()
                if data.startswith("slow"):
                    await trio.sleep(LEAVING - 1)
                house.taken.append(data[:6])
                return data[:6]

            async def handle_info(self, message: object) -> str | None:
                if message != "hang":
                    return None
                await waiting()
                return "taken"

            async def terminate(self, reason: Reason) -> None:
                house.ended.append(reason)

        class Silent(GenServer):
            async def handle_call(self, request: object, from_: object) -> NoReply:
                waiting.begun.append(self_pid())
                return NoReply()

        class Hangs(Channel):
            async def join(self, topic: str, payload: Any) -> None:  # noqa: ANN401
                if payload.get("traps"):
                    trap_exit()
                await waiting()

        class Custom(GenServer):
            async def init(self, arguments: object) -> None:
                await waiting()

        class UserSocket(Socket):
            channels = (channel("channel", Hangs), channel("custom", Custom))

        server: Any = None

        async def start() -> None:
            nonlocal server
            server = (await Silent.start()).unwrap()

        self.start = start
        options = WebSocketOptions(check_origin=False, timeout=timeout, join_timeout=30)
        self.endpoint = Endpoint(
            sockets=[mount("/raw", Raw, websocket=options), mount("/socket", UserSocket, websocket=options)],
            **listening(over, path),
        )


@asynccontextmanager
async def opened(over: str, clock: MockClock, path: Path, timeout: float = 600) -> AsyncIterator[tuple[House, Server]]:
    house = House(timeout, over, path)
    async with open_runtime() as runtime:
        await house.start()
        with pytest.MonkeyPatch.context() as patch:
            if over == "no epoll":
                patch.setattr("phxactor.endpoint._serving.READER_AVAILABLE", False)
            (await house.endpoint.start_link(port=None if over == "unix" else 0)).unwrap()
        try:
            async with passing(clock, STEP):
                yield house, Server(house.endpoint, runtime)
        except BaseException:
            clock.rate = 1.0  # the end of a test that has failed may need time
            raise


async def speak(server: Server, over: str, *texts: str) -> Client:
    """Connect, and send texts behind the handshake."""
    client = await connect(server, over)
    await client.stream.send_all(REQUEST + b"".join(frame(TEXT, text.encode()) for text in texts))
    return client


@pytest.mark.parametrize("how", ["closes", "resets", "shuts down"])
@pytest.mark.parametrize("over", WAYS)
async def test_a_raw_handler_that_hangs_is_cancelled_when_its_client_leaves(
    over: str, how: str, still_clock: MockClock, tmp_path: Path
) -> None:
    async with opened(over, still_clock, tmp_path) as (house, server):
        before = server.processes()
        client = await speak(server, over, "hang", "never")
        await eventually(lambda: house.waiting.begun)
        left = trio.current_time()
        await client.leave(how)
        await eventually(lambda: server.processes() == before)
        assert house.waiting.ended == ["Cancelled"]
        assert house.taken == []
        assert house.ended == [NORMAL]
        assert LEAVING - 1 < trio.current_time() - left < 4 * LEAVING
        await trio.aclose_forcefully(client.stream)


async def test_one_that_waits_for_a_message_is_cancelled_too(still_clock: MockClock, tmp_path: Path) -> None:
    async with opened("plain", still_clock, tmp_path) as (house, server):
        before = server.processes()
        client = await speak(server, "plain", "call")
        await eventually(lambda: house.waiting.begun)
        await client.leave("closes")
        await eventually(lambda: server.processes() == before)
        assert house.ended == [NORMAL]


async def test_handle_info_is_cancelled_too(still_clock: MockClock, tmp_path: Path) -> None:
    async with opened("plain", still_clock, tmp_path) as (house, server):
        before = server.processes()
        client = await speak(server, "plain", "a")
        await eventually(lambda: house.taken == ["a"])
        for pid in server.runtime.others():
            if pid.initial_call == "Connection":
                pid.send("hang")
        await eventually(lambda: house.waiting.begun)
        await client.leave("closes")
        await eventually(lambda: server.processes() == before)
        assert house.waiting.ended == ["Cancelled"]


@pytest.mark.parametrize("how", ["closes", "shuts down"])
@pytest.mark.parametrize("over", WAYS)
async def test_the_last_words_of_a_client_are_handled_as_long_as_each_is_in_time(
    over: str, how: str, still_clock: MockClock, tmp_path: Path
) -> None:
    words = ["slow 1", "slow 2", "slow 3", "last"]
    async with opened(over, still_clock, tmp_path) as (house, server):
        before = server.processes()
        client = await speak(server, over, *words)
        await client.leave(how)
        await eventually(lambda: house.ended)
        await eventually(lambda: server.processes() == before)
        assert house.taken == words
        assert house.ended == [NORMAL]
        await trio.aclose_forcefully(client.stream)


@pytest.mark.parametrize("over", ["plain", "no epoll", "tls", "unix"])
async def test_much_that_waits_hides_no_leaving(over: str, still_clock: MockClock, tmp_path: Path) -> None:
    """Nothing is read once so much waits; the system tells of the client's end all the same, or `STUCK` does."""
    async with opened(over, still_clock, tmp_path) as (house, server):
        before = server.processes()
        client = await speak(server, over, "hang", "x" * AHEAD, "y" * 100)
        await eventually(lambda: house.waiting.begun)
        left = trio.current_time()
        await client.leave("resets")
        await eventually(lambda: server.processes() == before)
        assert house.waiting.ended == ["Cancelled"]
        assert over == "no epoll" or trio.current_time() - left < STUCK
        await trio.aclose_forcefully(client.stream)


async def test_who_waits_behind_much_for_too_long_is_closed(still_clock: MockClock, tmp_path: Path) -> None:
    async with opened("plain", still_clock, tmp_path) as (house, server):
        client = await speak(server, "plain", "hang", "x" * AHEAD)
        await eventually(lambda: house.waiting.begun)
        began = trio.current_time()
        await eventually(lambda: house.ended)
        assert trio.current_time() - began >= STUCK
        assert house.ended == [Shutdown("held_up")]
        await client.stream.aclose()


async def test_a_silent_client_is_found_out_though_a_handler_hangs(still_clock: MockClock, tmp_path: Path) -> None:
    async with opened("plain", still_clock, tmp_path, timeout=60) as (house, server):
        client = await speak(server, "plain", "hang")
        await eventually(lambda: house.ended)
        assert house.waiting.ended == ["Cancelled"]
        assert house.ended == [Shutdown("timeout")]
        await client.stream.aclose()


@pytest.mark.parametrize("how", ["closes", "resets", "shuts down"])
@pytest.mark.parametrize(
    ("topic", "payload"), [("channel", {}), ("channel", {"traps": True}), ("custom", {})], ids=["plain", "traps", "own"]
)
async def test_a_join_that_hangs_ends_with_its_client(
    topic: str, payload: object, how: str, still_clock: MockClock, tmp_path: Path
) -> None:
    async with opened("plain", still_clock, tmp_path) as (house, server):
        before = server.processes()
        client = await connect(server, "plain")
        join = orjson.dumps(["1", "1", topic, "phx_join", payload])
        await client.stream.send_all(JOINS + frame(TEXT, join))
        await eventually(lambda: house.waiting.begun)
        left = trio.current_time()
        await client.leave(how)
        await eventually(lambda: server.processes() == before)
        assert house.waiting.ended == ["Cancelled"]
        assert payload or trio.current_time() - left < 20
        await trio.aclose_forcefully(client.stream)
