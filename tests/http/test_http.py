from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import h11
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, memory_stream_pair

from phxactor.http import PeerData, Request, Response
from phxactor.http._h11_stream import MAX_HEAD, SEND_TIMEOUT, BadRequest
from phxactor.http._http_connection import BODY_TIMEOUT, HEAD_TIMEOUT, KEEP_ALIVE, MAX_HEADERS, HTTPConnection

MAX_BODY = 1000
PEER = PeerData("192.0.2.7", 50000)
HELLO = b"GET /hello?a=b HTTP/1.1\r\nHost: example.com\r\nX-Test: yes\r\n\r\n"


def head_of(size: int) -> bytes:
    """Make a head of so many bytes."""
    start = b"GET / HTTP/1.1\r\nhost: a\r\nx: "
    return start + b"x" * (size - len(start) - 4) + b"\r\n\r\n"


class Wire:
    """A client's end of a connection, and what the server made of it."""

    def __init__(self) -> None:
        self.client, server = memory_stream_pair()
        self.server = server
        self.http = HTTPConnection(server, peer=PEER)

    async def send(self, data: bytes) -> None:
        await self.client.send_all(data)

    async def received(self) -> bytes:
        """Close the server's end, and read all that it has sent."""
        await self.server.send_eof()
        data = b""
        while some := await self.client.receive_some():
            data += some
        return data

    async def request(self) -> Request:
        """Read a request, with its body."""
        request = await self.http.next_request()
        assert request is not None
        return attrs.evolve(request, body=await self.http.read_body(MAX_BODY))

    async def refusal(self) -> BadRequest:
        with pytest.raises(BadRequest) as caught:
            await self.request()
        return caught.value


def statuses(data: bytes, method: bytes = b"GET") -> list[int]:
    """Read answers as a client does, to the end of the connection."""
    found = []
    while data:
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method=method, target="/", headers=[("host", "example.com")]))
        client.send(h11.EndOfMessage())
        client.receive_data(data)
        client.receive_data(b"")
        response = client.next_event()
        assert isinstance(response, h11.Response)
        found.append(response.status_code)
        while type(event := client.next_event()) is not h11.EndOfMessage:
            assert isinstance(event, h11.Data)
        data = client.trailing_data[0]
    return found


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


async def later(seconds: float, function: Callable[[bytes], Awaitable[None]], data: bytes) -> None:
    await trio.sleep(seconds)
    await function(data)


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


@pytest.mark.parametrize("behind", [b"", HELLO, b"x" * MAX_HEAD])
@pytest.mark.parametrize("ahead", [b"", HELLO])
async def test_a_head_of_the_largest_size(autojump_clock: MockClock, ahead: bytes, behind: bytes) -> None:
    """What comes with it counts for other requests."""
    wire = Wire()
    await wire.send(ahead + head_of(MAX_HEAD) + behind)
    if ahead:
        assert (await wire.request()).path == "/hello"
        await wire.http.respond(Response.text("first"))
    assert (await wire.request()).header("x") is not None


async def test_as_many_headers_as_there_may_be(autojump_clock: MockClock) -> None:
    wire = Wire()
    await wire.send(b"GET / HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * (MAX_HEADERS - 1) + b"\r\n")
    assert len((await wire.request()).headers) == MAX_HEADERS


async def test_a_body_of_the_largest_size(autojump_clock: MockClock) -> None:
    wire = Wire()
    await wire.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n" + b"x" * 1000)
    assert len((await wire.request()).body) == 1000


async def test_too_large_a_body_is_not_asked_for(autojump_clock: MockClock) -> None:
    wire = Wire()
    await wire.send(b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 1001\r\n\r\n")
    assert (await wire.refusal()).status == 413
    assert b" 100 " not in await wire.received()


@pytest.mark.parametrize("empty", [b"\r\n", b"\r\n\r\n\r\n"])
@pytest.mark.parametrize("cut", [0, 1, 2, 3])
async def test_empty_lines_before_requests_are_nothing(autojump_clock: MockClock, empty: bytes, cut: int) -> None:
    """RFC 9112 section 2.2; however they come, and however many a connection has in all."""
    wire = Wire()
    for number in range(3):
        post = b"POST /%d HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc" % number
        data = empty + HELLO + empty + post
        async with trio.open_nursery() as nursery:
            nursery.start_soon(later, 1.0, wire.send, data[:cut])
            nursery.start_soon(later, 2.0, wire.send, data[cut:])
            assert (await wire.request()).path == "/hello"
        await wire.http.respond(Response(200))
        request = await wire.request()
        assert (request.path, request.body) == (f"/{number}", b"abc")
        await wire.http.respond(Response(200))
    await wire.send(empty)
    await wire.client.send_eof()
    assert await wire.http.next_request() is None
    assert statuses(await wire.received()) == [200] * 6


async def test_a_first_piece_may_be_an_empty_line(autojump_clock: MockClock) -> None:
    client, server = memory_stream_pair()
    http = HTTPConnection(server, peer=PEER, first=b"\r\n")
    await client.send_all(HELLO)
    request = await http.next_request()
    assert request is not None
    assert request.path == "/hello"


@pytest.mark.parametrize("behind", [b"\r\n", b"\r"])
async def test_an_empty_line_is_no_beginning_of_a_request(autojump_clock: MockClock, behind: bytes) -> None:
    """Who sends no more behind it is a client who says nothing: it is owed no answer, and has no more time."""
    wire = Wire()
    await wire.send(HELLO + behind)
    await wire.request()
    await wire.http.respond(Response(200))
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        if behind == b"\r\n":
            nursery.start_soon(later, KEEP_ALIVE / 2, wire.send, behind)
        assert await wire.http.next_request() is None
    assert trio.current_time() - start == pytest.approx(KEEP_ALIVE)
    assert statuses(await wire.received()) == [200]


async def test_who_says_nothing(autojump_clock: MockClock) -> None:
    wire = Wire()
    start = trio.current_time()
    assert await wire.http.next_request() is None
    assert trio.current_time() - start == pytest.approx(HEAD_TIMEOUT)
    assert await wire.received() == b""


async def test_who_says_no_more(autojump_clock: MockClock) -> None:
    wire = Wire()
    await wire.send(HELLO)
    await wire.request()
    await wire.http.respond(Response(200))
    start = trio.current_time()
    assert await wire.http.next_request() is None
    assert trio.current_time() - start == pytest.approx(KEEP_ALIVE)


async def test_a_head_that_drips(autojump_clock: MockClock) -> None:
    wire = Wire()
    async with trio.open_nursery() as nursery:
        for at in range(1, 100):
            nursery.start_soon(later, at * 1.0, wire.send, HELLO[:1] * at)
        start = trio.current_time()
        assert (await wire.refusal()).status == 408
        assert trio.current_time() - start == pytest.approx(1.0 + HEAD_TIMEOUT)
        nursery.cancel_scope.cancel()
    assert statuses(await wire.received()) == [408]


async def test_a_body_that_drips(autojump_clock: MockClock) -> None:
    wire = Wire()
    await wire.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n")
    async with trio.open_nursery() as nursery:
        for at in range(1, 100):
            nursery.start_soon(later, at * 1.0, wire.send, b"x")
        start = trio.current_time()
        assert (await wire.refusal()).status == 408
        assert trio.current_time() - start == pytest.approx(BODY_TIMEOUT)
        nursery.cancel_scope.cancel()
    assert statuses(await wire.received()) == [408]


@pytest.mark.parametrize("cut", [1, 20, len(HELLO) - 1])
async def test_who_leaves_halfway(autojump_clock: MockClock, cut: int) -> None:
    wire = Wire()
    await wire.send(HELLO[:cut])
    await wire.client.aclose()
    assert (await wire.refusal()).status == 400
    assert await wire.http.next_request() is None


async def test_who_leaves_before_the_end_of_the_body(autojump_clock: MockClock) -> None:
    wire = Wire()
    await wire.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nabc")
    await wire.client.send_eof()
    assert (await wire.refusal()).status == 400


async def test_who_leaves_before_the_answer(autojump_clock: MockClock) -> None:
    wire = Wire()
    await wire.send(HELLO + HELLO)
    await wire.request()
    await wire.client.aclose()
    await wire.http.respond(Response.text("for nobody"))
    assert await wire.http.next_request() is None


class Reset:
    """A stream whose other side resets the connection after some bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def receive_some(self, max_bytes: int, /) -> bytes:
        await trio.lowlevel.checkpoint()
        if not self._data:
            raise trio.BrokenResourceError
        data, self._data = self._data[:max_bytes], self._data[max_bytes:]
        return data

    async def send_all(self, data: bytes, /) -> None:
        await trio.lowlevel.checkpoint()
        raise trio.BrokenResourceError


async def test_a_connection_that_is_reset(autojump_clock: MockClock) -> None:
    assert await HTTPConnection(Reset(b""), peer=PEER).next_request() is None
    halfway = HTTPConnection(Reset(HELLO[:10]), peer=PEER)
    with pytest.raises(BadRequest):
        await halfway.next_request()
    whole = HTTPConnection(Reset(HELLO), peer=PEER)
    assert await whole.next_request()
    await whole.respond(Response(200))
    assert await whole.next_request() is None
    wrong = HTTPConnection(Reset(b"nonsense\r\n\r\n"), peer=PEER)
    with pytest.raises(BadRequest):
        await wrong.next_request()


async def test_who_does_not_read_the_answer(autojump_clock: MockClock) -> None:
    client, server = trio.testing.lockstep_stream_pair()
    http = HTTPConnection(server, peer=PEER)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, HELLO)
        assert await http.next_request()
    start = trio.current_time()
    await http.respond(Response(200, b"x" * 1_000_000))
    assert trio.current_time() - start == pytest.approx(SEND_TIMEOUT)
    assert await http.next_request() is None


async def test_an_upgrade_leaves_what_follows(autojump_clock: MockClock) -> None:
    wire = Wire()
    head = b"GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    await wire.send(head + b"\x81\x80abcd")
    assert (await wire.request()).header("upgrade") == "websocket"
    assert wire.http.trailing() == b"\x81\x80abcd"


async def test_an_upgrade_that_is_refused_is_a_request_like_others(autojump_clock: MockClock) -> None:
    wire = Wire()
    head = b"GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    await wire.send(head + HELLO)
    await wire.request()
    await wire.http.respond(Response(426, b"", [("connection", "upgrade"), ("upgrade", "websocket")]))
    assert (await wire.request()).path == "/hello"


async def test_one_answer_for_each_request(autojump_clock: MockClock) -> None:
    wire = Wire()
    await wire.send(HELLO)
    await wire.request()
    with pytest.raises(RuntimeError, match="respond"):
        await wire.http.next_request()


pieces = st.sampled_from(
    [
        *(b"GET / HTTP/1.1\r\n", b"POST /a HTTP/1.1\r\n", b"host: a\r\n", b"content-length: 3\r\n", b"abc", b"\r\n"),
        *(
            b"transfer-encoding: chunked\r\n",
            b"0\r\n\r\n",
            b"3\r\nabc\r\n",
            b"upgrade: x\r\n",
            b"expect: 100-continue\r\n",
        ),
        *(b" ", b":", b"\0", b"\n", b"HTTP/1.0\r\n", b"connection: upgrade, close\r\n", b"OPTIONS * ", b"\xff"),
    ]
)


@given(st.lists(st.one_of(pieces, st.binary(max_size=5)), max_size=12).map(b"".join))
def test_whatever_comes_is_a_request_or_a_mistake(data: bytes) -> None:
    async def serve() -> None:
        wire = Wire()
        await wire.send(data)
        await wire.client.send_eof()
        for _ in range(len(data) + 1):
            try:
                request = await wire.http.next_request()
            except BadRequest as bad:
                assert bad.why.isprintable()  # noqa: PT017 - there need not be one
                request = None
            if request is None:
                break
            await wire.http.respond(Response(200))
        else:
            pytest.fail("more requests than bytes")
        assert await wire.http.next_request() is None

    trio.run(serve, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"garbage\r\n\r\n", "illegal request line: b'garbage'"),
        (b"GET / HTTP/1.1\r\nho st: (a)\r\n\r\n", "illegal header line: b'ho st: (a)'"),
        (b"GET / HTTP/1.1\r\n\r\n", "Missing mandatory Host: header"),
    ],
)
async def test_a_refusal_shows_what_came_and_not_how_it_is_held(data: bytes, why: str) -> None:
    with pytest.raises(BadRequest) as caught:
        await HTTPConnection(Reset(data), peer=PEER).next_request()
    assert caught.value.why == why
