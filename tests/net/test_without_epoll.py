"""A system without epoll (macOS, BSD): whoever waits for bytes reads them, and clients notice nothing."""

from __future__ import annotations

import pytest

from phxactor import WebSocketOptions, mount
from phxactor.endpoint import Endpoint
from phxactor.endpoint import _serving as module
from tests.conformance.client import Closed
from tests.conformance.zoo import EchoSocket, UserSocket
from tests.sockets.serving import complaints, eventually, serving
from tests.transport.frames import TEXT, frame

pytestmark = pytest.mark.socket

SOCKET, ECHO = "/socket/websocket?vsn=2.0.0", "/echo/websocket"
JOIN = ["1", "1", "room:lobby", "phx_join", {}]
JOINED = ["1", "1", "room:lobby", "phx_reply", {"status": "ok", "response": {"hello": "lobby"}}]


@pytest.fixture(autouse=True)
def _no_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READER_AVAILABLE", False)


def endpoint(*, compress: bool = False) -> Endpoint:
    options = WebSocketOptions(check_origin=False, compress=compress)
    return Endpoint(
        sockets=[mount("/socket", UserSocket, websocket=options), mount("/echo", EchoSocket, websocket=options)]
    )


@pytest.mark.parametrize("compress", [False, True])
async def test_a_channel(compress: bool) -> None:
    async with serving(endpoint(compress=compress)) as server:
        assert server.endpoint.serving.reader is None
        before = server.processes()
        async with await server.connect(SOCKET, compress=compress) as client:
            assert await client.ask(JOIN) == JOINED
            for payload in ("x" * 200_000, {"small": 1}):
                assert await client.ask(["1", "2", "room:lobby", "echo", payload]) == [
                    "1", "2", "room:lobby", "phx_reply", {"status": "ok", "response": payload}
                ]  # fmt: skip
            server.endpoint.broadcast("room:lobby", "news", {})
            assert await client.json() == [None, None, "room:lobby", "news", {}]
            await client.close()
            assert (await client.until_closed())[1] == Closed(1000)
        await eventually(lambda: server.processes() == before)


async def test_many_frames_in_one_piece_are_taken_in_order() -> None:
    async with serving(endpoint()) as server, await server.connect(SOCKET) as client:
        assert await client.ask(JOIN) == JOINED
        many = 1000
        echo = b'["1","%d","room:lobby","echo",%d]'
        await client.send_bare(b"".join(frame(TEXT, echo % (number, number)) for number in range(many)))
        for number in range(many):
            answer = await client.json()
            assert answer == ["1", str(number), "room:lobby", "phx_reply", {"status": "ok", "response": number}]


async def test_a_raw_socket() -> None:
    async with serving(endpoint()) as server, await server.connect(ECHO) as client:
        for message in ("text", b"\x00binary", "x" * 100_000):
            await client.send(message)
            assert await client.next() == message


@pytest.mark.parametrize("path", [SOCKET, ECHO])
async def test_a_reset_is_an_end(path: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(endpoint()) as server:
        before = server.processes()
        client = await server.connect(path)
        await eventually(lambda: server.processes() > before)
        await client.abort()
        await eventually(lambda: server.processes() == before)
    assert complaints(caplog) == []


async def test_a_plain_request() -> None:
    async with serving(endpoint()) as server:
        assert (await server.request(b"GET /nowhere HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"))[0] == 404
