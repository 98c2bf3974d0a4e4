"""Clients behind a proxy: who they are in logs, limits and `connect`; and what another's word is worth: nothing."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import trio
from trio.testing import memory_stream_pair

from phxactor import (
    Channel,
    Endpoint,
    LongPollOptions,
    Request,
    Response,
    Socket,
    TrustedProxies,
    WebSocketOptions,
    channel,
    get,
    mount,
    post,
)
from phxactor.endpoint import events
from phxactor.http import PeerData
from phxactor.net import ConnectionLimits
from phxactor.runtime import open_runtime
from tests.conformance.client import Client, Rejected
from tests.sockets.serving import complaints, eventually, in_time

KEYS: Any = ["peer_data", "uri"]
PROXY = PeerData("10.0.0.2", 40000)
STRANGER = PeerData("198.51.100.1", 40000)
TOLD = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example"}
WS = "ws://app.test/socket/websocket?vsn=2.0.0"


class Lobby(Channel):
    """Lets everybody in."""


class UserSocket(Socket):
    """Keeps what it is told of its clients."""

    channels = (channel("lobby", Lobby),)
    infos: list[Any]

    async def connect(self, params: Any, connect_info: Any) -> None:  # noqa: ANN401
        UserSocket.infos.append(connect_info)


async def who(request: Request) -> Response:
    return Response.text(f"{request.peer} {request.scheme} {request.authority} {request.proxy}")


async def hold(request: Request) -> Response:
    await trio.sleep(math.inf)
    return Response.text("")


@asynccontextmanager
async def served(**options: Any) -> AsyncIterator[Endpoint]:  # noqa: ANN401
    """Serve in memory, behind a proxy that is trusted unless the options say otherwise."""
    UserSocket.infos = []
    endpoint = Endpoint(
        sockets=[
            mount(
                "/socket",
                UserSocket,
                websocket=WebSocketOptions(connect_info=KEYS),
                longpoll=LongPollOptions(connect_info=KEYS),
            )
        ],
        routes=[get("/who", who), post("/who", who), get("/hold", hold)],
        **{"trusted_proxies": ["10.0.0.0/8", "unix"], **options},
    )
    async with open_runtime():
        (await endpoint.start_link(server=False)).unwrap()
        yield endpoint


async def opened(endpoint: Endpoint, peer: PeerData = PROXY) -> trio.abc.Stream:
    """Connect from a peer."""
    ours, theirs = memory_stream_pair()
    (await endpoint.serve_stream(theirs, peer)).unwrap()
    return ours


async def connect(
    endpoint: Endpoint, headers: Mapping[str, str] | None = None, *, peer: PeerData = PROXY, origin: str | None = None
) -> Client:
    return await Client.over(await opened(endpoint, peer), WS, origin=origin, headers=headers)


async def ask(
    stream: trio.abc.Stream, target: str, /, *lines: str, method: str = "GET", body: bytes = b""
) -> tuple[int, bytes]:
    """Send a request, and return the status and the body of its answer."""
    head = "\r\n".join(
        [f"{method} {target} HTTP/1.1", "host: app.test", f"content-length: {len(body)}", *lines, "", ""]
    )
    await in_time(stream.send_all(head.encode() + body))
    return await answer(stream)


async def answer(stream: trio.abc.Stream) -> tuple[int, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        some = await in_time(stream.receive_some())
        assert some
        data += some
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < length:
        body += await in_time(stream.receive_some())
    return int(head[9:12]), body


# ------------------------------------------------------------------------------------------------ who a client is


async def test_a_websocket_has_its_clients_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with served() as endpoint:
        async with await connect(endpoint, TOLD, origin="https://shop.example") as client:
            await client.ask(["1", "1", "lobby", "phx_join", {}])
        assert UserSocket.infos == [
            {
                "peer_data": {"address": "203.0.113.9", "port": 0},
                "uri": {
                    "scheme": "https",
                    "host": "shop.example",
                    "port": 443,
                    "path": "/socket/websocket",
                    "query": "vsn=2.0.0",
                },
            }
        ]
        told = [record.getMessage() for record in caplog.records if "UserSocket" in record.getMessage()]
        assert any("203.0.113.9" in line for line in told)
        assert not any(PROXY.address in line for line in told)


async def test_a_long_poll_has_its_clients_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with served() as endpoint:
        stream = await opened(endpoint)
        lines = [f"{name}: {value}" for name, value in TOLD.items()]
        status, body = await ask(stream, "/socket/longpoll?vsn=2.0.0", "origin: https://shop.example", *lines)
        assert (status, orjson.loads(body)["status"]) == (200, 410)
        assert UserSocket.infos[0]["peer_data"] == {"address": "203.0.113.9", "port": 0}
        assert UserSocket.infos[0]["uri"]["host"] == "shop.example"
        assert any("203.0.113.9" in record.getMessage() for record in caplog.records)
        await stream.aclose()


async def test_each_request_of_a_connection_has_its_own_client() -> None:
    async with served() as endpoint:
        stream = await opened(endpoint)
        for address in ("203.0.113.9", "203.0.113.10"):
            told = f"x-forwarded-for: 6.6.6.6, {address}"
            expected = f"{address} http app.test {PROXY}".encode()
            assert await ask(stream, "/who", told) == (200, expected)
            assert await ask(stream, "/who", told, method="POST", body=b"some") == (200, expected)
        assert await ask(stream, "/who") == (200, f"{PROXY} http app.test {PROXY}".encode())
        await stream.aclose()


@pytest.mark.parametrize("trusted", [None, ["192.0.2.0/24"], TrustedProxies(["192.0.2.1"], header="forwarded")])
async def test_the_word_of_another_counts_for_nothing(trusted: Any) -> None:  # noqa: ANN401
    async with served(trusted_proxies=trusted) as endpoint:
        async with await connect(endpoint, {"Forwarded": "for=6.6.6.6;proto=https", **TOLD}, peer=STRANGER):
            assert UserSocket.infos == [
                {
                    "peer_data": {"address": "198.51.100.1", "port": 40000},
                    "uri": {
                        "scheme": "http",
                        "host": "app.test",
                        "port": 80,
                        "path": "/socket/websocket",
                        "query": "vsn=2.0.0",
                    },
                }
            ]
        stream = await opened(endpoint, STRANGER)
        assert await ask(stream, "/who", "x-forwarded-for: 6.6.6.6") == (200, f"{STRANGER} http app.test None".encode())
        await stream.aclose()


async def test_forwarded_where_it_is_named() -> None:
    named = TrustedProxies(["10.0.0.2"], header="forwarded")
    told = 'for="[2001:db8::1]:5";proto=https;host=shop.example'
    async with served(trusted_proxies=named) as endpoint, await connect(endpoint, {"Forwarded": told, **TOLD}):
        assert UserSocket.infos[0]["peer_data"] == {"address": "2001:db8::1", "port": 5}


@pytest.mark.socket
async def test_a_unix_socket_is_trusted_by_its_kind(tmp_path: Path) -> None:
    UserSocket.infos = []
    path = tmp_path / "app.sock"
    options = WebSocketOptions(connect_info=KEYS)
    for trusted, address in ((["unix"], "203.0.113.9"), (["127.0.0.1"], "local")):
        endpoint = Endpoint(
            sockets=[mount("/socket", UserSocket, websocket=options)], path=path, trusted_proxies=trusted
        )
        async with open_runtime():
            (await endpoint.start_link()).unwrap()
            stream = await trio.open_unix_socket(path)
            async with await Client.over(stream, WS, headers=TOLD):
                assert UserSocket.infos.pop()["peer_data"]["address"] == address


# -------------------------------------------------------------------------------------------------------- limits


def from_client(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


async def refused(endpoint: Endpoint, status: int, headers: Mapping[str, str]) -> None:
    with pytest.raises(Rejected) as caught:
        await connect(endpoint, headers)
    assert caught.value.status == status


async def test_each_client_has_a_limit_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    async with served(max_connections_per_address=2) as endpoint:
        async with (
            await connect(endpoint, from_client("203.0.113.9")),
            await connect(endpoint, from_client("203.0.113.9")),
            await connect(endpoint, from_client("203.0.113.10")),
        ):
            await refused(endpoint, 429, from_client("203.0.113.9"))
            await refused(endpoint, 429, from_client("6.6.6.6, 203.0.113.9"))
            assert "there are 2 connections from 203.0.113.9" in complaints(caplog)[-1].getMessage()
            assert complaints(caplog)[-1].getMessage().startswith("refused 203.0.113.9: ")
            async with await connect(endpoint, from_client("203.0.113.10")):
                pass
        limits = endpoint.serving.limits
        assert isinstance(limits, ConnectionLimits)
        await eventually(lambda: limits.count == 0)
        assert not limits._by_address  # noqa: SLF001


async def test_a_client_without_an_address_counts_as_its_proxy() -> None:
    """Else it could have itself counted nowhere, by a header that makes the proxy's unreadable."""
    forwarded = TrustedProxies(["10.0.0.2", "unix"], header="forwarded")
    async with served(max_connections_per_address=1, trusted_proxies=forwarded) as endpoint:
        for peer in (PROXY, PeerData("local", 0)):
            async with await connect(endpoint, {"Forwarded": 'x=", for=203.0.113.9'}, peer=peer):
                with pytest.raises(Rejected, match="429"):
                    await connect(endpoint, {"Forwarded": 'y=", for=203.0.113.9'}, peer=peer)
                async with await connect(endpoint, {"Forwarded": "for=203.0.113.9"}, peer=peer):
                    pass


async def test_a_request_counts_while_it_is_answered() -> None:
    async with served(max_connections_per_address=1) as endpoint:
        first, second = await opened(endpoint), await opened(endpoint)
        held = "x-forwarded-for: 203.0.113.9"
        await in_time(first.send_all(f"GET /hold HTTP/1.1\r\nhost: a\r\n{held}\r\n\r\n".encode()))
        limits = endpoint.serving.limits
        assert isinstance(limits, ConnectionLimits)
        await eventually(lambda: limits._by_address)  # noqa: SLF001
        assert await ask(second, "/who", held) == (429, b"")
        assert (await ask(second, "/who", "x-forwarded-for: 203.0.113.10"))[0] == 200  # on the same connection
        await first.aclose()  # the handler is cancelled
        await eventually(lambda: not limits._by_address)  # noqa: SLF001
        assert (await ask(second, "/who", held))[0] == 200
        assert not limits._by_address  # noqa: SLF001 - an idle connection holds nobody's place
        await second.aclose()


async def test_a_session_of_long_polling_counts_for_its_client() -> None:
    async with served(max_connections_per_address=2) as endpoint:
        stream = await opened(endpoint)
        target = "/socket/longpoll?vsn=2.0.0"
        for _ in range(1):
            assert orjson.loads((await ask(stream, target, "x-forwarded-for: 203.0.113.9"))[1])["status"] == 410
        async with await connect(endpoint, from_client("203.0.113.9")):
            await refused(endpoint, 429, from_client("203.0.113.9"))
        await stream.aclose()


async def test_all_connections_of_a_proxy_count_in_all() -> None:
    one = from_client("203.0.113.9")
    async with served(max_connections=2) as endpoint, await connect(endpoint, one), await connect(endpoint):
        await refused(endpoint, 503, from_client("203.0.113.10"))


async def test_clients_that_come_directly_are_counted_as_before() -> None:
    async with served(max_connections_per_address=1) as endpoint, await connect(endpoint, peer=STRANGER):
        with pytest.raises(Rejected, match="429"):
            await connect(endpoint, TOLD, peer=STRANGER)
        async with await connect(endpoint, from_client("203.0.113.9")):
            pass


# --------------------------------------------------------------------------------------------------- the log


async def reason(
    caplog: pytest.LogCaptureFixture, endpoint: Endpoint, peer: PeerData, origin: str, headers: Mapping[str, str]
) -> str:
    """Return what the log says of a page that is refused."""
    caplog.clear()
    caplog.set_level(logging.INFO)
    with pytest.raises(Rejected, match="403"):
        await connect(endpoint, headers, peer=peer, origin=origin)
    (said,) = (record.getMessage() for record in caplog.records if "origin" in record.getMessage())
    return said


async def test_a_refused_page_is_logged_with_what_it_was_compared_with(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as endpoint:
        page = "https://shop.example"
        said = await reason(caplog, endpoint, PROXY, page, {})
        assert "'https://shop.example' is not allowed" in said
        assert "the host 'app.test' (header Host); check_origin=['https://shop.example'] would allow it" in said
        said = await reason(caplog, endpoint, PROXY, page, {"X-Forwarded-Host": "other.example"})
        assert "the host 'other.example' (header X-Forwarded-Host)" in said
        said = await reason(caplog, endpoint, STRANGER, page, TOLD)
        assert "the host 'app.test' (header Host)" in said
        assert "the header X-Forwarded-Host, 'shop.example', does not count" in said
        assert "198.51.100.1 is not in trusted_proxies" in said
    async with served(trusted_proxies=TrustedProxies(["10.0.0.2"], header="forwarded")) as endpoint:
        said = await reason(caplog, endpoint, PROXY, page, {"Forwarded": "for=203.0.113.9;host=other.example"})
        assert "the host 'other.example' (header Forwarded)" in said


def test_a_list_of_proxies_is_enough() -> None:
    assert Endpoint(trusted_proxies=["10.0.0.1"]).trusted_proxies == TrustedProxies(["10.0.0.1"])
    assert Endpoint().trusted_proxies is None
    with pytest.raises(TypeError, match="trusted proxies are a list"):
        Endpoint(trusted_proxies="10.0.0.1")


async def test_a_line_for_each_request_has_its_clients_address(caplog: pytest.LogCaptureFixture) -> None:
    told: list[tuple[object, object]] = []

    def keep(_: object, fields: Any) -> None:  # noqa: ANN401
        told.append((fields["peer"], fields["status"]))

    events.request.attach(keep)
    try:
        async with served(max_connections_per_address=1, health="/health") as endpoint:
            async with await connect(endpoint, from_client("203.0.113.9")):
                await refused(endpoint, 429, from_client("203.0.113.9"))
            await refused_page(endpoint, "https://evil.example", from_client("203.0.113.8"))
            stream = await opened(endpoint)
            await ask(stream, "/health")
            await ask(stream, "/who", "x-forwarded-for: 203.0.113.7")
            await ask(stream, "/none", "x-forwarded-for: 203.0.113.6")
            await in_time(stream.send_all(b"no request\r\n\r\n"))
            assert (await answer(stream))[0] == 400
            await stream.aclose()
    finally:
        events.request.detach(keep)
    assert told == [
        ("203.0.113.9", 101),
        ("203.0.113.9", 429),
        ("203.0.113.8", 403),
        ("203.0.113.7", 200),
        ("203.0.113.6", 404),
        (str(PROXY), 400),  # whose it was is not known
    ]
    assert complaints(caplog)[-1].getMessage().startswith(f"{PROXY} was answered 400")


async def refused_page(endpoint: Endpoint, origin: str, headers: Mapping[str, str]) -> None:
    with pytest.raises(Rejected, match="403"):
        await connect(endpoint, headers, origin=origin)
