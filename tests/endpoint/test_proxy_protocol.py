"""An endpoint behind a proxy that forwards bytes, and tells of its clients by the PROXY protocol."""

from __future__ import annotations

import logging
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor import Channel, Endpoint, Request, Response, Socket, TrustedProxies, WebSocketOptions, channel, get, mount
from phxactor.http import PeerData
from phxactor.net import ConnectionLimits
from phxactor.net._proxy_protocol import HEADER_TIMEOUT, SIGNATURE
from phxactor.runtime import open_runtime
from tests.certificates import CLIENT, SERVER
from tests.conformance.client import Client, Rejected
from tests.sockets.serving import Server, complaints, eventually, in_time, serving

pytestmark = pytest.mark.socket

V1 = b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n"
V2 = SIGNATURE + b"\x21\x11\x00\x0c" + bytes([203, 0, 113, 9, 192, 0, 2, 1]) + struct.pack("!HH", 4711, 443)
WITH_EXTENSIONS = V2[:14] + b"\x00\x12" + V2[16:] + b"\x04\x00\x03abc"
LOCAL = SIGNATURE + b"\x20\x00\x00\x00"
TRUSTED = TrustedProxies(["127.0.0.1"], header="proxy-protocol")
WHO = b"GET /who HTTP/1.1\r\nhost: app.test\r\nx-forwarded-for: 6.6.6.6\r\nconnection: close\r\n\r\n"
CLIENT_ = "203.0.113.9:4711"


class Lobby(Channel):
    """Lets everybody in."""


class UserSocket(Socket):
    """Keeps what it is told of its clients."""

    channels = (channel("lobby", Lobby),)
    infos: list[Any]

    async def connect(self, params: Any, connect_info: Any) -> None:  # noqa: ANN401
        UserSocket.infos.append(connect_info["peer_data"])


async def who(request: Request) -> Response:
    return Response.text(f"{request.peer} {request.scheme}")


def endpoint(**options: Any) -> Endpoint:  # noqa: ANN401
    UserSocket.infos = []
    sockets = [mount("/socket", UserSocket, websocket=WebSocketOptions(connect_info=["peer_data"]))]
    return Endpoint(sockets=sockets, routes=[get("/who", who)], **{"trusted_proxies": TRUSTED, **options})


@asynccontextmanager
async def connected(server: Server, *pieces: bytes) -> AsyncIterator[trio.SocketStream]:
    """Connect, and send the pieces one after another."""
    async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
        stream.setsockopt(6, 1, 1)  # TCP_NODELAY
        for piece in pieces:
            await stream.send_all(piece)
            await trio.sleep(0.002)
        yield stream


async def rest(stream: trio.abc.Stream) -> bytes:
    """Read to the end, also that by a reset."""
    data = b""
    try:
        while some := await in_time(stream.receive_some()):
            data += some
    except trio.BrokenResourceError:
        pass
    return data


@pytest.mark.parametrize("header", [V1, V2, WITH_EXTENSIONS], ids=["v1", "v2", "extensions"])
async def test_header_and_request_may_come_in_one_read_or_byte_by_byte(header: bytes) -> None:
    async with serving(endpoint()) as server:
        for pieces in (
            [header + WHO],
            [header, WHO],
            [header[:1], header[1:] + WHO],
            [bytes([byte]) for byte in header + WHO],
        ):
            async with connected(server, *pieces) as stream:
                assert (await rest(stream)).endswith(f"{CLIENT_} http".encode())


async def test_a_websocket_has_its_clients_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(endpoint()) as server, connected(server, V1) as stream:
        async with await Client.over(stream, "ws://app.test/socket/websocket?vsn=2.0.0") as client:
            assert await client.ask(["1", "1", "lobby", "phx_join", {}])
        assert UserSocket.infos == [{"address": "203.0.113.9", "port": 4711}]
    assert any("203.0.113.9:4711" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("header", [LOCAL, b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x21\x00\x00\x00"])
async def test_where_it_tells_nobody_the_client_is_the_peer(header: bytes) -> None:
    async with serving(endpoint()) as server, connected(server, header + WHO) as stream:
        assert b"127.0.0.1:" in await rest(stream)


async def test_it_comes_before_tls() -> None:
    async with serving(endpoint(tls=SERVER)) as server:
        for header in (V1, V2):
            async with connected(server, header) as stream:
                secure = trio.SSLStream(stream, CLIENT, server_hostname="app.test", https_compatible=True)
                await secure.send_all(WHO)
                assert (await rest(secure)).endswith(f"{CLIENT_} https".encode())


async def test_a_unix_socket_is_trusted_by_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    for networks, expected in ((["unix"], CLIENT_.encode()), (["127.0.0.1"], b"")):
        served = endpoint(path=path, trusted_proxies=TrustedProxies(networks, header="proxy-protocol"))
        async with open_runtime():
            (await served.start_link()).unwrap()
            async with await trio.open_unix_socket(path) as stream:
                await stream.send_all(V1 + WHO)
                assert expected in await rest(stream)


# ------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (WHO, "the first bytes are no PROXY header"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 99999 1\r\n" + WHO, "malformed"),
        (b"PROXY " + b"x" * 200, "ends within 107 bytes"),
        (b"\x16\x03\x01\x02\x00\x01\x00", "the first bytes are no PROXY header"),
    ],
)
async def test_a_wrong_beginning_closes(sent: bytes, says: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(endpoint()) as server, connected(server, sent) as stream:
        assert await rest(stream) == b""
        await eventually(lambda: server.endpoint.serving.idle == set())
    assert says in complaints(caplog)[0].getMessage()


async def test_from_others_than_trusted_proxies_nothing_is_read(caplog: pytest.LogCaptureFixture) -> None:
    others = TrustedProxies(["192.0.2.1"], header="proxy-protocol")
    async with serving(endpoint(trusted_proxies=others)) as server, connected(server, V1 + WHO) as stream:
        assert await rest(stream) == b""
    assert (
        "it is not in trusted_proxies, and this listener takes the PROXY protocol only"
        in complaints(caplog)[0].getMessage()
    )


async def test_a_check_that_only_connects_leaves_no_line(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(endpoint()) as server:
        async with connected(server) as stream:
            await stream.send_eof()
            assert await rest(stream) == b""
        async with connected(server, V1[:10]) as stream:
            await stream.send_eof()
            assert await rest(stream) == b""
    (line,) = complaints(caplog)
    assert "the peer left in the middle of a PROXY header" in line.getMessage()


async def test_a_header_has_its_time(still_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(endpoint()) as server:
        for sent in (b"", V1[:-1], V2[:20]):
            caplog.clear()
            async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
                await stream.send_all(sent)
                await eventually(lambda: server.endpoint.serving.idle)
                still_clock.jump(HEADER_TIMEOUT + 0.1)
                assert await rest(stream) == b""
            (line,) = complaints(caplog)
            assert "no whole PROXY header within 5 seconds" in line.getMessage()


async def test_a_stop_waits_for_no_header() -> None:
    async with serving(endpoint()) as server, connected(server, V1[:5]):
        await eventually(lambda: server.endpoint.serving.idle)


async def test_limits_count_the_client_and_not_the_proxy() -> None:
    async with serving(endpoint(max_connections_per_address=1)) as server:
        url = "ws://app.test/socket/websocket?vsn=2.0.0"
        other = V1.replace(b"203.0.113.9", b"203.0.113.8")
        async with connected(server, V1) as first, await Client.over(first, url):
            async with connected(server, V2) as second:
                with pytest.raises(Rejected, match="429"):
                    await Client.over(second, url)
            async with connected(server, other) as third, await Client.over(third, url):
                limits = server.endpoint.serving.limits
                assert isinstance(limits, ConnectionLimits)
                assert limits.count == 2


async def test_without_the_option_the_log_says_what_reads_it(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(endpoint(trusted_proxies=None)) as server:
        for header in (V1, V2):
            caplog.clear()
            async with connected(server, header + WHO) as stream:
                assert (await rest(stream)).startswith(b"HTTP/1.1 400 ")
            (line,) = complaints(caplog)
            assert line.getMessage().endswith("which TrustedProxies([...], header='proxy-protocol') reads")


async def test_who_is_handed_in_is_known_already() -> None:
    """Only what the listener accepts begins with a header."""
    served = endpoint()
    async with open_runtime():
        (await served.start_link(server=False)).unwrap()
        ours, theirs = trio.testing.memory_stream_pair()
        (await served.serve_stream(theirs, PeerData("198.51.100.7", 5))).unwrap()
        await ours.send_all(WHO)
        assert (await rest(ours)).endswith(b"198.51.100.7:5 http")
