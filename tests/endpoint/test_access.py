"""The access log: one line for each request, with what it was answered, and without what may be secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor import Endpoint, Error, Request, Response, Socket, WebSocketOptions, get, mount, post
from phxactor.endpoint import IN_MEMORY, events, log_requests
from phxactor.endpoint._access import target_of
from phxactor.gateway import asgi
from phxactor.http import PeerData
from phxactor.runtime import Runtime
from phxactor.testing import HTTPClient
from tests.http.requests import request

UPGRADE = (
    b"GET /socket/websocket?vsn=2.0.0&token=secret%s HTTP/1.1\r\nhost: app.test\r\nupgrade: websocket\r\n"
    b"connection: upgrade\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
)


class UserSocket(Socket):
    async def connect(self, params: dict[str, str]) -> Error | None:
        await trio.sleep(float(params.get("wait", "0")))
        return Error() if "no" in params else None


async def hello(made: Request) -> Response:
    await trio.sleep(float(str(made.params.get("wait", "0"))))
    if "crash" in made.params:
        raise RuntimeError("a mistake of the program")
    return Response.text("hello")


def endpoint() -> Endpoint:
    options = WebSocketOptions(connect_timeout=5)
    return Endpoint(
        sockets=[mount("/socket", UserSocket, websocket=options)],
        routes=[get("/{name}", hello), post("/{name}", hello)],
        request_timeout=5,
        max_body_bytes=10,
    )


@pytest.fixture
def told() -> Iterator[list[tuple[object, ...]]]:
    """What the events tell: method, target, status, bytes, seconds."""
    lines: list[tuple[object, ...]] = []

    def keep(_: object, fields: Any) -> None:  # noqa: ANN401
        lines.append((fields["method"], fields["target"], fields["status"], fields["bytes"], fields["seconds"]))

    events.request.attach(keep)
    yield lines
    events.request.detach(keep)


async def test_each_request_is_told(
    phx_runtime: Runtime, autojump_clock: MockClock, told: list[tuple[object, ...]]
) -> None:
    client = HTTPClient(endpoint())
    await client.get("/a%20b?wait=2&token=secret")
    await client.request("HEAD", "/x")
    await client.post("/nothing/here", body=b"x")
    await client.post("/x", body=b"x" * 11)
    await client.get("/x?crash")
    await client.get("/x?wait=9")
    with trio.move_on_after(1):
        await client.get("/x?wait=3")
    await trio.sleep(1)
    assert told == [
        ("GET", "/a%20b?wait=[FILTERED]&token=[FILTERED]", 200, 5, 2.0),
        ("HEAD", "/x", 200, 0, 0.0),
        ("POST", "/nothing/here", 404, 10, 0.0),
        ("POST", "/x", 413, 32, 0.0),
        ("GET", "/x?[FILTERED]", 500, 22, 0.0),
        ("GET", "/x?wait=[FILTERED]", 503, 0, 5.0),
        ("GET", "/x?wait=[FILTERED]", 499, 0, 1.0),
    ]


async def spoken(app: Endpoint, data: bytes, seconds: float = 1) -> bytes:
    """Send bytes; return what has come within some seconds of virtual time."""
    ours, theirs = trio.testing.memory_stream_pair()
    (await app.serve_stream(theirs)).unwrap()
    await ours.send_all(data)
    answer = b""
    with trio.move_on_after(seconds):
        while some := await ours.receive_some():
            answer += bytes(some)
    await trio.aclose_forcefully(ours)
    await trio.sleep(0.1)
    return answer


async def test_handshakes_and_heads_that_are_none(
    phx_runtime: Runtime, autojump_clock: MockClock, told: list[tuple[object, ...]]
) -> None:
    app = endpoint()
    (await app.start_link(server=False)).unwrap()
    assert b" 101 " in await spoken(app, UPGRADE % b"")
    assert b" 403 " in await spoken(app, UPGRADE % b"&no=")
    assert b" 503 " in await spoken(app, UPGRADE % b"&wait=9", 6)
    assert await spoken(app, UPGRADE % b"&wait=2") == b""
    # the same without the fast parser of plain upgrades
    assert b" 101 " in await spoken(app, b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n" + UPGRADE % b"")
    assert b" 400 " in await spoken(app, b"GET /x HTTP/1.1\r\nhost: a\r\n\r\nnonsense\r\n\r\n")
    target = "/socket/websocket?vsn=2.0.0&token=[FILTERED]"
    assert [line[:3] for line in told] == [
        ("GET", target, 101),
        ("GET", f"{target}&no=[FILTERED]", 403),
        ("GET", f"{target}&wait=[FILTERED]", 503),
        ("GET", f"{target}&wait=[FILTERED]", 499),
        ("GET", "/x", 200),
        ("GET", target, 101),
        ("GET", "/x", 200),
        ("-", "-", 400),
    ]
    assert [line[4] for line in told[2:4]] == [pytest.approx(5), pytest.approx(1)]


async def application(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
    """An ASGI application."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await trio.sleep(2)
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        await send({"type": "http.response.body", "body": b"de"})
    elif b"no" in scope["query_string"]:
        await send({"type": "websocket.close"})
    else:
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass


async def test_hosted_applications_are_told_too(
    phx_runtime: Runtime, autojump_clock: MockClock, told: list[tuple[object, ...]]
) -> None:
    app = Endpoint(routes=[asgi("/", application, lifespan="off")])
    assert (await HTTPClient(app).get("/x?a=1")).text == "abcde"
    assert b" 101 " in await spoken(app, UPGRADE % b"")
    assert b" 403 " in await spoken(app, UPGRADE % b"&no=")
    target = "/socket/websocket?vsn=2.0.0&token=[FILTERED]"
    assert [line[:4] for line in told] == [
        ("GET", "/x?a=[FILTERED]", 201, 5),
        ("GET", target, 101, 0),
        ("GET", f"{target}&no=[FILTERED]", 403, 38),
    ]
    assert told[0][4] == pytest.approx(2)


async def test_a_line_of_the_log(
    phx_runtime: Runtime, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    app = endpoint()
    caplog.set_level(logging.INFO)
    await HTTPClient(app).get("/x")
    assert "GET" not in caplog.text
    handler = log_requests()
    try:
        await HTTPClient(app, peer=PeerData("192.0.2.1", 7)).get("/x?token=secret")
        await HTTPClient(app).get("/y")
    finally:
        events.request.detach(handler)
    lines = [line for line in caplog.messages if "GET" in line]
    assert lines == [
        '192.0.2.1:7 "GET /x?token=[FILTERED]" 200 5 bytes 0.000 s',
        f'{IN_MEMORY} "GET /y" 200 5 bytes 0.000 s',
    ]
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/a?b=1#c", "/a?b=[FILTERED]"),
        ("/a?vsn=2.0.0&b=", "/a?vsn=2.0.0&b=[FILTERED]"),
        ("/a?secret", "/a?[FILTERED]"),
        ("/a?a=1&&b=2&", "/a?a=[FILTERED]&&b=[FILTERED]&"),
        ("/a?", "/a"),
        ("/a%0a%22", "/a%0a%22"),
        ("/" + "x" * 600, "/" + "x" * 499 + "..."),
        ("http://other.test/a?b=1", "/a?b=[FILTERED]"),
        ("*", "*"),
    ],
)
def test_targets_without_values(target: str, shown: str) -> None:
    assert target_of(request(target)) == shown


def test_a_long_query_is_cut_and_no_value_is_shown() -> None:
    shown = target_of(request("/?" + "&".join(f"name{number}=secret{number}" for number in range(1000))))
    assert len(shown) < 600
    assert "secret" not in shown
