"""TLS: the same protocol behind a handshake; and what becomes of those who do not shake hands."""

from __future__ import annotations

import logging
import ssl
from typing import Any

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from phxactor import Channel, Endpoint, LongPollOptions, Ok, Socket, WebSocketOptions, channel, get, mount, on
from phxactor.http import Request, Response
from phxactor.net import Flusher, HandshakeError, shake_hands
from phxactor.net._tls import HANDSHAKE_TIMEOUT
from phxactor.runtime import open_runtime
from tests.certificates import CLIENT, SERVER
from tests.conformance.client import Client, Closed
from tests.conformance.zoo import EchoSocket
from tests.sockets.serving import Server, complaints, eventually, in_time, passing, serving

JOINED = ["1", "1", "room", "phx_reply", {"status": "ok", "response": {}}]


class Room(Channel):
    """Echoes."""

    @on("echo")
    async def echo(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok(payload)


class UserSocket(Socket):
    """Keeps what it was told."""

    channels = (channel("room", Room),)
    info: Any = None

    async def connect(self, params: Any, connect_info: Any) -> None:  # noqa: ANN401
        UserSocket.info = connect_info


async def scheme(request: Request) -> Response:
    return Response.text(request.scheme)


def endpoint(**options: Any) -> Endpoint:  # noqa: ANN401
    websocket = WebSocketOptions(connect_info=["uri", "peer_data"], **options)
    return Endpoint(
        sockets=[
            mount("/socket", UserSocket, websocket=websocket, longpoll=LongPollOptions()),
            mount("/echo", EchoSocket, websocket=WebSocketOptions(compress=True, max_output_bytes=2**25)),
        ],
        routes=[get("/scheme", scheme)],
        tls=SERVER,
    )


async def secure(server: Server, *, context: ssl.SSLContext = CLIENT) -> trio.SSLStream[trio.SocketStream]:
    transport = await trio.open_tcp_stream("127.0.0.1", server.port)
    return trio.SSLStream(transport, context, server_hostname="app.test", https_compatible=True)


async def connect(server: Server, path: str = "/socket/websocket?vsn=2.0.0", **options: Any) -> Client:  # noqa: ANN401
    return await Client.over(await secure(server), f"ws://app.test{path}", **options)


# ------------------------------------------------------------------------------------------------ what is given


@pytest.mark.parametrize(
    ("context", "error", "says"),
    [
        ("cert.pem", TypeError, "SSLContext"),
        (True, TypeError, "SSLContext"),
        (ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ValueError, "CLIENT_AUTH"),
    ],
)
def test_what_cannot_be_fails_when_given(context: Any, error: type[Exception], says: str) -> None:  # noqa: ANN401
    with pytest.raises(error, match=says):
        Endpoint(tls=context)


# ------------------------------------------------------------------------------------------------- the protocol


@pytest.mark.socket
async def test_a_channel_over_tls() -> None:
    async with serving(endpoint()) as server:
        assert str(server.endpoint.address) == f"https://127.0.0.1:{server.port}"
        async with await connect(server, origin="https://app.test") as client:
            assert await client.ask(["1", "1", "room", "phx_join", {}]) == JOINED
            for size in (1, 1000, 20_000, 500_000):
                reply = await client.ask(["1", "2", "room", "echo", "x" * size])
                assert reply == ["1", "2", "room", "phx_reply", {"status": "ok", "response": "x" * size}]
            for number in range(1000):
                server.endpoint.broadcast("room", "news", number)
            assert [await client.json() for _ in range(1000)] == [
                [None, None, "room", "news", number] for number in range(1000)
            ]
            await client.close()
            assert await client.next() == Closed(1000)
        await eventually(lambda: not server.endpoint.pubsub.statistics().topics)
    assert UserSocket.info["uri"]["scheme"] == "https"
    assert UserSocket.info["uri"]["port"] == 443
    assert UserSocket.info["peer_data"]["address"] == "127.0.0.1"


@pytest.mark.socket
async def test_much_both_ways_at_once() -> None:
    message = "0123456789abcdef" * 8192

    async def send(client: Client) -> None:
        for number in range(100):
            await client.send(f"{number}{message}")

    async with (
        serving(endpoint()) as server,
        await connect(server, "/echo/websocket") as client,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(send, client)
        for number in range(100):
            assert await client.next() == f"{number}{message}"


@pytest.mark.socket
async def test_a_client_that_goes_on_sending_hears_why_it_is_closed() -> None:
    async with serving(endpoint()) as server, await connect(server) as client:
        await client.send("no message")
        for _ in range(50):
            await client.send_bare(b"x" * 1000)
            await trio.sleep(0.001)
        assert await client.next() == Closed(1011)


@pytest.mark.socket
async def test_http_over_tls() -> None:
    async with serving(endpoint()) as server:
        stream = await secure(server)
        for _ in range(2):
            await stream.send_all(b"GET /scheme HTTP/1.1\r\nhost: app.test\r\n\r\n")
            assert bytes(await in_time(stream.receive_some())).endswith(b"\r\n\r\nhttps")
        await stream.aclose()


@pytest.mark.socket
async def test_the_end_of_the_server_is_told_to_all() -> None:
    async with serving(endpoint()) as server:
        client = await connect(server)
        assert await client.ask(["1", "1", "room", "phx_join", {}]) == JOINED
        server.endpoint.broadcast("room", "last", "x" * 100_000)
        assert await client.json() == [None, None, "room", "last", "x" * 100_000]
    assert (await client.until_closed())[1] == Closed(1012)
    await client.__aexit__(None, None, None)


@pytest.mark.socket
async def test_a_client_that_never_reads_is_bounded_and_closed(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(endpoint(max_output_bytes=300_000)) as server:
        client = await connect(server)
        assert await client.ask(["1", "1", "room", "phx_join", {}]) == JOINED
        while not complaints(caplog):
            server.endpoint.broadcast("room", "news", "x" * 60_000)
            await trio.lowlevel.checkpoint()
        await eventually(lambda: server.endpoint.pubsub.statistics().topics == 0)
        _, end = await client.until_closed()
        assert end == Closed(1013)
        await client.__aexit__(None, None, None)
    (line,) = complaints(caplog)
    assert "1013" in line.message


# ----------------------------------------------------------------------------------------- who does not shake hands


@pytest.mark.socket
async def test_who_does_not_speak_tls_is_let_go(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(endpoint()) as server:
        before = server.processes()
        async with await trio.open_tcp_stream("127.0.0.1", server.port) as plain:
            await plain.send_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            try:
                while await in_time(plain.receive_some()):
                    pass
            except trio.BrokenResourceError:
                pass
        async with await trio.open_tcp_stream("127.0.0.1", server.port):
            pass
        await eventually(lambda: server.processes() == before)
        async with await connect(server) as client:
            assert await client.ask(["1", "1", "room", "phx_join", {}]) == JOINED
    lines = [record for record in caplog.records if record.name == "phxactor.endpoint.handshake_failed"]
    assert len(lines) == 2
    assert all(line.levelno == logging.INFO and "TLS handshake with 127.0.0.1:" in line.message for line in lines)
    assert complaints(caplog) == []


@pytest.mark.socket
async def test_who_does_not_trust_the_certificate_is_let_go() -> None:
    async with serving(endpoint()) as server:
        before = server.processes()
        stream = await secure(server, context=ssl.create_default_context())
        with pytest.raises(trio.BrokenResourceError):
            await in_time(stream.do_handshake())
        await trio.aclose_forcefully(stream)
        await eventually(lambda: server.processes() == before)


@pytest.mark.parametrize("sends", [b"", b"\x16\x03\x01\x02\x00"])
async def test_a_handshake_has_its_time(autojump_clock: MockClock, sends: bytes) -> None:
    client, server = memory_stream_pair()

    async def trickle() -> None:
        """Send the beginning of a hello of 512 bytes, a byte a second."""
        await client.send_all(sends)
        while sends:
            await trio.sleep(0.9)
            await client.send_all(b"\x01")

    async with open_runtime(), trio.open_nursery() as nursery:
        nursery.start_soon(trickle)
        began = trio.current_time()
        with pytest.raises(HandshakeError, match="within 10 seconds"):
            await shake_hands(server, SERVER, Flusher())
        assert trio.current_time() - began == pytest.approx(HANDSHAKE_TIMEOUT)
        nursery.cancel_scope.cancel()
    with pytest.raises(trio.BrokenResourceError):
        await client.send_all(b"x")


@pytest.mark.socket
async def test_the_end_of_the_server_waits_for_hands_like_for_a_first_request(still_clock: MockClock) -> None:
    async with passing(still_clock, 0.1):
        async with serving(endpoint()) as server:
            before = server.processes()
            idle = await trio.open_tcp_stream("127.0.0.1", server.port)
            await eventually(lambda: server.processes() > before)
            began = trio.current_time()
        assert trio.current_time() - began < HANDSHAKE_TIMEOUT / 2
    await idle.aclose()
