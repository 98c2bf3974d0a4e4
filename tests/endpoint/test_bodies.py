"""Bodies are read once it is known that somebody wants them; the others are refused by the head."""

from __future__ import annotations

import re

import pytest
import trio

from phxactor import Endpoint, LongPollOptions, Request, Response, WebSocketOptions, get, mount, post, route
from tests.attacks.target import pour
from tests.longpoll.polling import UserSocket
from tests.patience import PATIENCE
from tests.sockets.serving import Server, serving

pytestmark = pytest.mark.socket

OPTIONS = LongPollOptions(check_origin=["https://app.test"], max_body_bytes=3000)


async def size(request: Request) -> Response:
    return Response.text(str(len(request.body)))


def endpoint() -> Endpoint:
    return Endpoint(
        sockets=[mount("/socket", UserSocket, websocket=WebSocketOptions(check_origin=False), longpoll=OPTIONS)],
        routes=[
            post("/size", size),
            post("/large/{name}", size, max_body_bytes=5000),
            post("/small", size, max_body_bytes=10),
            get("/only", size),
        ],
        max_body_bytes=1000,
    )


def head(target: str, body: int | str, *more: str) -> bytes:
    framing = f"content-length: {body}" if isinstance(body, int) else f"transfer-encoding: {body}"
    return "\r\n".join([f"POST {target} HTTP/1.1", "host: app.test", framing, *more, "", ""]).encode()


WEBSOCKET = [
    "connection: upgrade",
    "upgrade: websocket",
    "sec-websocket-version: 13",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
]


async def status(stream: trio.abc.Stream) -> tuple[int, bytes]:
    """Read one answer."""
    data = b""
    with trio.fail_after(PATIENCE):
        while True:
            found, end, body = data.partition(b"\r\n\r\n")
            if end and len(body) >= int(re.search(rb"(?i)content-length: *(\d+)", found)[1]):  # type: ignore[index]
                return int(found.split()[1]), body
            some = await stream.receive_some()
            assert some
            data += some


async def connect(server: Server) -> trio.SocketStream:
    return await trio.open_tcp_stream("127.0.0.1", server.port)


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        pytest.param(head("/nowhere", 900_000_000), 404, id="no route"),
        pytest.param(head("/nowhere", "chunked"), 404, id="no route, and no length"),
        pytest.param(head("/only", 900_000_000), 405, id="no such method"),
        pytest.param(head("/size", 1001), 413, id="more than the endpoint takes"),
        pytest.param(head("/large/a", 5001), 413, id="more than the route takes"),
        pytest.param(head("/small", 11), 413, id="more than a small route takes"),
        pytest.param(head("/nowhere", 10, "expect: 100-continue"), 404, id="nobody is told to go on"),
        pytest.param(head("/socket/websocket?vsn=2.0.0", 10), 400, id="a WebSocket"),
        pytest.param(
            head("/socket/websocket?vsn=2.0.0", 10, *WEBSOCKET).replace(b"POST", b"GET"), 400, id="with a handshake"
        ),
    ],
)
async def test_what_is_refused_is_refused_by_its_head(request_: bytes, answer: int) -> None:
    async with serving(endpoint()) as server, await connect(server) as stream:
        await stream.send_all(request_)
        assert (await status(stream))[0] == answer
        with trio.fail_after(PATIENCE):  # it is the last one
            assert await stream.receive_some() == b""


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        pytest.param(head("/socket/longpoll?vsn=2.0.0", 2000, "origin: https://evil.test"), 403, id="an origin"),
        pytest.param(head("/socket/longpoll?vsn=2.0.0", 2000), 410, id="no session"),
        pytest.param(head("/socket/longpoll?vsn=2.0.0&token=x", 2000), 410, id="no session with this token"),
    ],
)
async def test_a_long_poll_is_refused_by_its_head(request_: bytes, answer: int) -> None:
    async with serving(endpoint()) as server, await connect(server) as stream:
        await stream.send_all(request_)
        assert await status(stream) == (200, b'{"status":%d}' % answer)
        with trio.fail_after(PATIENCE):
            assert await stream.receive_some() == b""


@pytest.mark.parametrize(
    ("target", "most"), [("/size", 1000), ("/large/a", 5000), ("/small", 10)], ids=["endpoint", "more", "less"]
)
@pytest.mark.parametrize("chunked", [False, True])
async def test_as_much_as_may_be_is_taken(target: str, most: int, chunked: bool) -> None:
    def request(count: int) -> bytes:
        if chunked:
            return head(target, "chunked") + b"%x\r\n" % count + b"x" * count + b"\r\n0\r\n\r\n"
        return head(target, count) + b"x" * count

    async with serving(endpoint()) as server, await connect(server) as stream:
        for _ in range(2):
            await stream.send_all(request(most))
            assert await status(stream) == (200, str(most).encode())
        await stream.send_all(request(most + 1))
        assert (await status(stream))[0] == 413


async def test_a_body_that_has_come_with_its_head_is_dropped_and_the_connection_stays() -> None:
    async with serving(endpoint()) as server, await connect(server) as stream:
        for framed in (head("/nowhere", 500) + b"x" * 500, head("/nowhere", "chunked") + b"3\r\nabc\r\n0\r\n\r\n"):
            await stream.send_all(framed)
            assert (await status(stream))[0] == 404
        await stream.send_all(head("/size", 3) + b"abc")
        assert await status(stream) == (200, b"3")


async def test_who_writes_a_whole_body_before_it_reads_has_the_answer() -> None:
    async with serving(endpoint()) as server, await connect(server) as stream:
        await stream.send_all(head("/nowhere", 9_000_000))
        await stream.send_all(b"x" * 9_000_000)
        assert (await status(stream))[0] == 404


async def test_a_body_that_goes_on_is_not_listened_to_for_long() -> None:
    async with serving(endpoint()) as server, await connect(server) as stream:
        await stream.send_all(head("/nowhere", 900_000_000))
        assert await pour(stream, b"x" * 50_000, 20.0) < 30_000_000


@pytest.mark.parametrize("given", [0, -1])
def test_limits_that_cannot_be(given: int) -> None:
    for make in (
        lambda: Endpoint(max_body_bytes=given),
        lambda: post("/", size, max_body_bytes=given),
        lambda: route("POST", "/", size, max_body_bytes=given),
        lambda: LongPollOptions(max_body_bytes=given),
    ):
        with pytest.raises(ValueError, match=r"max_body_bytes.* must be a whole number of at least 1"):
            make()


def test_limits_that_are_no_numbers() -> None:
    with pytest.raises(TypeError, match="max_body_bytes must be a whole number"):
        Endpoint(max_body_bytes="1 MB")  # type: ignore[arg-type]
