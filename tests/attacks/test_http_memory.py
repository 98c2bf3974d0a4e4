"""What it costs the server, in memory, to be attacked before anybody is let in: connections, heads, bodies."""

from __future__ import annotations

import functools
from contextlib import suppress

import pytest
import trio

from phxactor.http import MAX_BODY
from tests.attacks.server import MOST
from tests.attacks.target import CLIENTS, FLOOD, MARKS, SLACK, Target, attacked, first_line, pour
from tests.patience import PATIENCE

pytestmark = MARKS

CROWD = 200
HURRY = 2.0
"""Seconds for a head or a handshake, in place of ten."""
HELLO = bytes.fromhex("1603010200010001fc0303") + b"\0" * 100
"""The beginning of a TLS handshake."""


async def crowd(target: Target, size: int = CROWD) -> list[trio.abc.Stream]:
    return [await trio.open_tcp_stream("127.0.0.1", target.port) for _ in range(size)]


async def leave(streams: list[trio.abc.Stream]) -> None:
    for stream in streams:
        await trio.aclose_forcefully(stream)


async def answers_of(streams: list[trio.abc.Stream]) -> set[bytes]:
    """Read the first lines of all answers, and leave."""
    lines = {await first_line(stream) for stream in streams}
    await leave(streams)
    return lines


# -------------------------------------------------------------------------------------------------- connections


@pytest.mark.parametrize(
    ("arguments", "most", "refusal"),
    [
        pytest.param([], MOST, b"HTTP/1.1 503 Service Unavailable", id="in all"),
        pytest.param(["--per-address", "100"], 100, b"HTTP/1.1 429 Too Many Requests", id="from one address"),
    ],
)
async def test_more_connections_than_there_may_be(
    arguments: list[str], most: int, refusal: bytes, open_files: None
) -> None:
    async with attacked(*arguments) as target:
        before = target.peak()
        streams: list[trio.abc.Stream] = [await target.stream() for _ in range(1500)]
        lines = await answers_of(streams[most + 100 :])
        assert refusal in lines
        assert lines <= {refusal, b""}
        assert target.peak() - before < most * 50_000 + SLACK
        await leave(streams)


async def test_connections_that_come_and_go() -> None:
    async with attacked() as target:
        before, end = target.peak(), trio.current_time() + FLOOD

        async def come_and_go() -> None:
            while trio.current_time() < end:
                await trio.aclose_forcefully(await target.stream())

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(come_and_go)
        assert target.peak() - before < MOST * 50_000 + SLACK


async def test_tls_handshakes_that_never_end() -> None:
    async with attacked("--hurry", str(HURRY), tls=True) as target:
        before = target.peak()
        streams = await crowd(target)
        for stream in streams:
            await stream.send_all(HELLO)
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(gone_within, stream, HURRY + PATIENCE)
        assert target.peak() - before < CROWD * 200_000 + SLACK


async def gone_within(stream: trio.abc.Stream, seconds: float) -> None:
    """Wait for the server to close."""
    with trio.fail_after(seconds), suppress(trio.BrokenResourceError):
        while await stream.receive_some():
            pass
    await trio.aclose_forcefully(stream)


# -------------------------------------------------------------------------------------------------------- heads


async def test_heads_that_never_end() -> None:
    head = b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"x" * 60_000
    async with attacked() as target:
        before = target.peak()
        streams = await crowd(target)
        for stream in streams:
            await stream.send_all(head)
        await trio.sleep(1)
        assert target.peak() - before < CROWD * 4 * len(head) + SLACK
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(pour, stream, b"x" * 10_000, 0.5)
        assert target.peak() - before < CROWD * 4 * len(head) + SLACK
        assert await answers_of(streams) == {b"HTTP/1.1 431 "}


async def test_heads_that_drip() -> None:
    async with attacked("--hurry", str(HURRY)) as target:
        before = target.peak()
        streams = await crowd(target)
        async with trio.open_nursery() as nursery:
            for stream in streams:
                await stream.send_all(b"GET / HTTP/1.1\r\nhost: a\r\n")
                nursery.start_soon(functools.partial(pour, stream, b"x: y\r\n", HURRY + 0.5, every=0.1))
        assert target.peak() - before < CROWD * 50_000 + SLACK
        assert await answers_of(streams) == {b"HTTP/1.1 408 "}


@pytest.mark.parametrize(
    "request_of_many",
    [
        pytest.param(b"GET / HTTP/1.1\r\nhost: a\r\n" + b"a:\r\n" * 13_000 + b"\r\n", id="of too many headers"),
        pytest.param(
            b"GET / HTTP/1.1\r\nhost: a\r\n" + (b"a: " + b"x" * 600 + b"\r\n") * 99 + b"\r\n", id="of many headers"
        ),
        pytest.param(b"GET /?" + b"a&" * 30_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n", id="of many parameters"),
        pytest.param(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n" * 2000, id="small"),
    ],
)
async def test_requests_whose_answers_nobody_reads(request_of_many: bytes) -> None:
    async with attacked() as target:
        streams = await crowd(target)
        before = target.peak()
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(pour, stream, request_of_many, FLOOD)
        assert target.peak() - before < CROWD * 4 * 64 * 1024 + SLACK
        await leave(streams)


# ------------------------------------------------------------------------------------------------------- bodies


@pytest.mark.parametrize(
    ("kind", "piece"),
    [
        pytest.param(b"content-length: 10485760", b"x" * 50_000, id="as long as may be"),
        pytest.param(b"transfer-encoding: chunked", b"1\r\nx\r\n" * 5000, id="of chunks that are small"),
        pytest.param(b"transfer-encoding: chunked", b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n", id="of chunks that are not"),
    ],
)
async def test_bodies_that_never_end(kind: bytes, piece: bytes) -> None:
    """What there may be at most is there, for the minute that a body may take; and no more."""
    async with attacked() as target:
        streams = await crowd(target, CLIENTS)
        before = target.peak()
        async with trio.open_nursery() as nursery:
            for stream in streams:
                await stream.send_all(b"POST /upload HTTP/1.1\r\nhost: a\r\n" + kind + b"\r\n\r\n")
                most = MAX_BODY - 1 if kind.startswith(b"content") else None
                nursery.start_soon(pour_at_most, stream, piece, most)
        assert target.peak() - before < CLIENTS * 2 * MAX_BODY + SLACK
        await leave(streams)


async def pour_at_most(stream: trio.abc.Stream, piece: bytes, most: int | None) -> None:
    """Pour for a while, and no more than so many bytes; then drip."""
    if most is None:
        await pour(stream, piece, 2 * FLOOD)
        return
    for start in range(0, most, len(piece)):
        await stream.send_all(piece[: most - start])
    await pour(stream, b"", 1.0, every=0.1)


@pytest.mark.parametrize(
    ("head", "answer"),
    [
        pytest.param(b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 10485761\r\n\r\n", b"413", id="too long"),
        pytest.param(b"POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: 9000000\r\n\r\n", b"404", id="for no path"),
        pytest.param(
            b"POST /broadcast HTTP/1.1\r\nhost: a\r\ncontent-length: 9000000\r\n\r\n", b"405", id="for another method"
        ),
        pytest.param(
            b"POST /drop/longpoll HTTP/1.1\r\nhost: a\r\ncontent-length: 9000000\r\n\r\n", b"200", id="for no session"
        ),
    ],
)
async def test_bodies_that_nobody_wants_are_not_read(head: bytes, answer: bytes) -> None:
    async with attacked() as target:
        before = target.peak()
        streams = await crowd(target)
        for stream in streams:
            await stream.send_all(head)
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(pour, stream, b"x" * 50_000, FLOOD)
        assert await answers_of(streams) == {b"HTTP/1.1 " + answer + b" "}
        assert target.peak() - before < CROWD * 2 * 64 * 1024 + SLACK


@pytest.fixture
def open_files() -> None:
    """See to it that this process may have as many connections open."""
    import resource  # noqa: PLC0415

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4096 <= hard or hard == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
    elif soft < 4096:
        pytest.skip("this process may not open 4096 files")
