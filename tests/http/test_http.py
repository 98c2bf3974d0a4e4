"""HTTP on one connection: requests and their answers, mistakes, and connections that are used again."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from phxactor.http import Response
from phxactor.http._h11_stream import MAX_HEAD
from phxactor.http._http_connection import MAX_HEADERS
from tests.http.wire import HELLO, PEER, Wire, head_of, later, statuses


async def test_a_request_and_its_answer(autojump_clock: MockClock) -> None:
    wire = Wire()
    await wire.send(HELLO)
    request = await wire.request()
    assert (request.method, request.path, request.query, request.body) == ("GET", "/hello", "a=b", b"")
    assert request.headers == ((b"host", b"example.com"), (b"x-test", b"yes"))
    assert (request.scheme, request.peer, request.http_version) == ("http", PEER, "1.1")
    await wire.http.respond(Response.text("hi"))
    head, body = (await wire.received()).split(b"\r\n\r\n")
    lines = [line.lower() for line in head.split(b"\r\n")]
    assert lines[0] == b"http/1.1 200 "
    assert b"content-length: 2" in lines
    assert b"content-type: text/plain; charset=utf-8" in lines
    assert any(line.startswith(b"date: ") for line in lines)
    assert body == b"hi"


async def test_bytes_that_come_one_by_one(autojump_clock: MockClock) -> None:
    wire = Wire()
    async with trio.open_nursery() as nursery:
        for at, byte in enumerate(HELLO):
            nursery.start_soon(later, at * 0.1, wire.send, bytes([byte]))
        assert (await wire.request()).path == "/hello"


async def test_the_connection_is_used_again(autojump_clock: MockClock) -> None:
    wire = Wire()
    for number in range(3):
        await wire.send(b"GET /%d HTTP/1.1\r\nhost: a\r\n\r\n" % number)
        assert (await wire.request()).path == f"/{number}"
        await wire.http.respond(Response(200))
    await wire.client.send_eof()
    assert await wire.http.next_request() is None
    assert statuses(await wire.received()) == [200, 200, 200]


async def test_pipelined_requests_are_answered_in_turn(autojump_clock: MockClock) -> None:
    wire = Wire()
    await wire.send(HELLO + b"POST /2 HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc" + HELLO)
    seen = []
    start = trio.current_time()
    for _ in range(3):
        request = await wire.request()
        seen.append((request.method, request.body))
        await wire.http.respond(Response(200 + len(seen)))
    assert seen == [("GET", b""), ("POST", b"abc"), ("GET", b"")]
    assert trio.current_time() == start
    assert statuses(await wire.received()) == [201, 202, 203]


@pytest.mark.parametrize(
    "head",
    [b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"],
)
async def test_the_client_wants_one_answer_only(autojump_clock: MockClock, head: bytes) -> None:
    wire = Wire()
    await wire.send(head + HELLO)
    request = await wire.request()
    assert request.http_version.encode() in head
    await wire.http.respond(Response.text("x"))
    assert await wire.http.next_request() is None
    assert b"connection: close" in (await wire.received()).lower()


async def test_an_answer_may_end_the_connection(autojump_clock: MockClock) -> None:
    wire = Wire()
    await wire.send(HELLO + HELLO)
    await wire.request()
    await wire.http.respond(Response(200, b"", [("connection", "close")]))
    assert await wire.http.next_request() is None


@pytest.mark.parametrize("status", [200, 204, 304])
async def test_answers_without_a_body(autojump_clock: MockClock, status: int) -> None:
    wire = Wire()
    await wire.send(b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\n" + HELLO)
    await wire.request()
    await wire.http.respond(Response(status, b"four"))
    await wire.request()
    await wire.http.respond(Response.text("more"))
    first, second = (await wire.received()).lower().split(b"http/1.1 ")[1:]
    assert first.endswith(b"\r\n\r\n")
    assert (b"content-length: 4" in first) == (status == 200)
    assert second.endswith(b"\r\n\r\nmore")


async def test_a_mistake_after_head_is_told_in_full(autojump_clock: MockClock) -> None:
    wire = Wire()
    await wire.send(b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\nnonsense\r\n\r\n")
    await wire.request()
    await wire.http.respond(Response(200))
    bad = await wire.refusal()
    assert (await wire.received()).decode().endswith(f"\r\n\r\n{bad.why}\n")


async def test_a_chunked_body(autojump_clock: MockClock) -> None:
    wire = Wire()
    await wire.send(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert (await wire.request()).body == b"abcde"


async def test_who_waits_to_be_told_to_go_on(autojump_clock: MockClock) -> None:
    wire = Wire()
    head = b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n"

    async def client() -> None:
        await wire.send(head)
        assert await wire.client.receive_some() == b"HTTP/1.1 100 \r\n\r\n"
        await wire.send(b"abc")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(client)
        assert (await wire.request()).body == b"abc"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx y: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n", 400),
        (b"GET nopath HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"GET /%ff HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a b/c@d\r\n\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\nhost: a b/c@d\r\n\r\n", 400),
        (b"GET http://user@a/ HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nhost: a\r\n\r\n", 505),
        (b"GET / HTTP/2.0\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", 505),
        (b"GET / HTTP/0.9\r\nhost: a\r\n\r\n", 505),
        (b"GET / HTTP/3.1\r\nhost: a\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/11\r\nhost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.10\r\nhost: a\r\n\r\n", 400),
        (b"\r\nnonsense\r\n\r\n", 400),
        (b"\r\n GET / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"\r\rGET / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"\rGET / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"\r\n" * (MAX_HEAD // 2 + 1), 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # TLS
        # what a proxy may read otherwise
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length : 1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1 \r\nabc", 400),
        (b"GET /" + b"x" * MAX_HEAD, 431),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"x" * MAX_HEAD, 431),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"x" * MAX_HEAD + b"\r\n\r\n", 431),  # whole
        (head_of(MAX_HEAD + 1), 431),
        (b"GET / HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * MAX_HEADERS + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1001\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001, 413),
    ],
)
async def test_mistakes_are_answered_and_told(autojump_clock: MockClock, head: bytes, status: int) -> None:
    wire = Wire()
    await wire.send(head)
    bad = await wire.refusal()
    assert bad.status == status
    assert str(bad) == f"{status}: {bad.why}"
    assert bad.why.isprintable()
    assert await wire.http.next_request() is None
    data = await wire.received()
    assert statuses(data) == [status]
    assert b"connection: close" in data.lower()
