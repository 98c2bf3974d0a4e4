"""Which hosts an endpoint answers to, by its option, and which pages it takes for local ones without it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from phxactor import Endpoint, LongPollOptions, Request, Response, Socket, WebSocketOptions, get, mount
from tests.conformance.client import Client, Rejected
from tests.sockets.serving import Server, complaints, serving

pytestmark = pytest.mark.socket


class UserSocket(Socket):
    """Lets everybody in."""


async def page(_: Request) -> Response:
    return Response.text("page")


def endpoint(check_origin: Any = True, **options: Any) -> Endpoint:  # noqa: ANN401
    sockets = mount(
        "/socket",
        UserSocket,
        websocket=WebSocketOptions(check_origin=check_origin),
        longpoll=LongPollOptions(check_origin=check_origin),
    )
    return Endpoint(sockets=[sockets], routes=[get("/page", page)], **options)


async def statuses(server: Server, host: str, origin: str | None) -> list[int]:
    """Ask for a WebSocket, a long poll and a page; return the three statuses."""
    uri = f"ws://{host}/socket/websocket?vsn=2.0.0"
    try:
        async with await Client.over(await _stream(server), uri, origin=origin):
            websocket = 101
    except Rejected as rejected:
        websocket = rejected.status
    line = f"origin: {origin}\r\n" if origin else ""
    longpoll = await server.request(f"GET /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\nhost: {host}\r\n{line}\r\n".encode())
    if b'"status":403' in longpoll[1]:
        longpoll = 403, b""
    plain = await server.request(f"GET /page HTTP/1.1\r\nhost: {host}\r\n{line}\r\n".encode())
    return [websocket, longpoll[0], plain[0]]


async def _stream(server: Server) -> Any:  # noqa: ANN401
    import trio  # noqa: PLC0415

    return await trio.open_tcp_stream("127.0.0.1", server.port)


@pytest.mark.parametrize(
    ("host", "origin", "expected"),
    [
        ("localhost:4000", "http://localhost:5173", [101, 200, 200]),
        ("127.0.0.1:4000", "http://127.0.0.1:4000", [101, 200, 200]),
        ("app.localhost", "http://app.localhost", [101, 200, 200]),
        ("10.0.2.2:4000", "http://10.0.2.2:4000", [101, 200, 200]),
        ("evil.example", None, [101, 200, 200]),  # no browser
        ("evil.example", "http://evil.example", [403, 403, 200]),
        ("evil.example:4000", "http://evil.example:4000", [403, 403, 200]),
        ("localhost.evil.example", "http://localhost.evil.example", [403, 403, 200]),
    ],
)
async def test_on_a_loopback_address_a_page_must_have_a_local_name(
    host: str, origin: str | None, expected: list[int]
) -> None:
    async with serving(endpoint()) as server:
        assert await statuses(server, host, origin) == expected


async def test_the_log_says_what_lets_such_a_page_in(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(endpoint()) as server:
        assert await statuses(server, "shop.example", "https://shop.example") == [403, 403, 200]
    said = [record.getMessage() for record in caplog.records if "origin" in record.getMessage()]
    assert len(said) == 2
    for line in said:
        assert "DNS rebinding" in line
        assert "hosts=['shop.example']" in line
        assert "trusted_proxies=['127.0.0.1']" in line


@pytest.mark.parametrize(
    "options",
    [
        {"hosts": ["shop.example"]},
        {"trusted_proxies": ["192.0.2.1"]},
        {"check_origin": ["https://shop.example"]},
        {"check_origin": lambda origin: origin == "https://shop.example"},
        {"check_origin": False},
        {"host": "0.0.0.0"},  # noqa: S104
    ],
    ids=["hosts", "proxies", "list", "function", "all", "address"],
)
async def test_a_program_that_says_what_is_its_own_is_believed(options: dict[str, Any]) -> None:
    async with serving(endpoint(**options)) as server:
        assert await statuses(server, "shop.example", "https://shop.example") == [101, 200, 200]


async def test_a_request_for_another_host_is_misdirected(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(endpoint(hosts=["shop.example", "127.0.0.1"], health="/health")) as server:
        for origin in (None, "http://evil.example"):
            assert await statuses(server, "evil.example", origin) == [421, 421, 421]
        assert await statuses(server, "SHOP.example:8443", "https://shop.example") == [101, 200, 200]
        assert await statuses(server, "127.0.0.1", "http://127.0.0.1") == [101, 200, 200]
        assert await statuses(server, "shop.example", "http://127.0.0.1") == [
            403,
            403,
            200,
        ]  # origins are compared as ever
        status, _ = await server.request(b"GET /page HTTP/1.0\r\n\r\n")  # without a host
        assert status == 421
        status, _ = await server.request(b"GET /health HTTP/1.1\r\nhost: 10.1.2.3:8080\r\n\r\n")  # as Kubernetes asks
        assert status == 200
    said = complaints(caplog)[0].getMessage()
    assert "for the host 'evil.example', which is not in the hosts" in said


async def test_the_host_that_a_proxy_tells_counts() -> None:
    options: Any = {"hosts": ["shop.example"], "trusted_proxies": ["127.0.0.1"]}
    async with serving(endpoint(**options)) as server:
        for told, expected in (("shop.example", 200), ("evil.example", 421)):
            status, _ = await server.request(
                f"GET /page HTTP/1.1\r\nhost: app\r\nx-forwarded-host: {told}\r\n\r\n".encode()
            )
            assert status == expected


@pytest.mark.parametrize("hosts", ["shop.example", 5, [1]])
def test_what_is_no_list_of_hosts(hosts: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match="host"):
        Endpoint(hosts=hosts)
