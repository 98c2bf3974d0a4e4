"""How much a client may say, how long it may take, and how it leaves."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, memory_stream_pair

from phxactor.http import Response
from phxactor.http._h11_stream import MAX_HEAD, SEND_TIMEOUT, BadRequest
from phxactor.http._http_connection import BODY_TIMEOUT, HEAD_TIMEOUT, KEEP_ALIVE, MAX_HEADERS, HTTPConnection
from tests.http.wire import HELLO, PEER, Wire, head_of, later, statuses


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
