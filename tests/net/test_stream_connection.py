"""Connections over trio's streams: what is written arrives, in order, whatever the other side does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from trio.testing import MockClock, lockstep_stream_pair, memory_stream_pair

from phxactor.net import Flusher, StreamConnection
from phxactor.net._flusher import LINGER
from phxactor.net._stream_connection import CHUNK
from phxactor.otp import Supervisor
from phxactor.runtime import KILL, Pid, open_runtime
from phxactor.testing import settle

MUCH = b"0123456789abcdef" * 50_000


@asynccontextmanager
async def pair(
    streams: Callable[[], tuple[trio.abc.Stream, trio.abc.Stream]] = lockstep_stream_pair,
) -> AsyncIterator[tuple[StreamConnection, trio.abc.Stream, Flusher]]:
    """Make a connection, the client's end of it, and a flusher that runs."""
    ours, theirs = streams()
    async with open_runtime():
        flusher = Flusher()
        (await Supervisor.start_link([flusher.child_spec()])).unwrap()
        await settle()
        yield StreamConnection(ours, flusher), theirs, flusher


async def read(stream: trio.abc.Stream, size: int = 2**30) -> bytes:
    """Read so many bytes, or to the end."""
    data = b""
    while len(data) < size and (some := await stream.receive_some(4000)):
        data += some
    return data


async def test_what_is_written_in_one_pass_goes_out_at_once(autojump_clock: MockClock) -> None:
    async with pair(memory_stream_pair) as (connection, client, _):
        connection.write(b"one ")
        connection.write(b"two")
        assert connection.size == 7
        await settle()
        assert connection.size == 0
        assert await client.receive_some() == b"one two"
        connection.close()


async def test_what_is_written_while_there_is_no_flusher_is_sent_by_the_next_one(autojump_clock: MockClock) -> None:
    ours, client = memory_stream_pair()
    async with open_runtime() as runtime:
        flusher = Flusher()
        supervisor = (await Supervisor.start_link([flusher.child_spec()])).unwrap()
        await settle()
        (child,) = await Supervisor.which_children(supervisor)
        assert isinstance(child.pid, Pid)
        child.pid.exit(KILL)
        await runtime.ended(child.pid)
        connection = StreamConnection(ours, flusher)
        connection.write(b"hello")
        assert await client.receive_some() == b"hello"
        connection.close()


async def test_one_that_is_closed_while_it_is_written_to_holds_nobody_up(autojump_clock: MockClock) -> None:
    async def close() -> None:
        connection.close()

    ours, _ = memory_stream_pair()
    ours.send_stream.send_all_hook = close
    connection = StreamConnection(ours, Flusher())
    connection.write(b"hello")
    await connection.drain()
    assert connection.closed
    assert connection.size == 0


async def test_a_slow_client_gets_everything_in_order_and_what_waits_is_known(autojump_clock: MockClock) -> None:
    async with pair() as (connection, client, _):
        connection.write(MUCH)
        await settle()
        assert connection.size == len(MUCH)  # not one chunk has been taken whole
        assert await read(client, CHUNK) == MUCH[:CHUNK]
        await settle()
        assert connection.size == len(MUCH) - CHUNK
        for number in range(10):
            connection.write(b"%d" % number)
        assert await read(client, len(MUCH) - CHUNK + 10) == MUCH[CHUNK:] + b"0123456789"
        await settle()
        assert connection.size == 0
        connection.write(b"more")
        assert await read(client, 4) == b"more"
        connection.close()


async def test_finishing_sends_what_waits_says_so_and_waits_for_the_client(autojump_clock: MockClock) -> None:
    async with pair() as (connection, client, flusher):
        connection.write(MUCH)
        flusher.finish(connection)
        assert await read(client) == MUCH
        assert not connection.closed
        await client.aclose()
        await settle()
        assert connection.closed


async def test_who_does_not_take_the_end_is_given_up(autojump_clock: MockClock) -> None:
    async with pair() as (connection, client, flusher):
        connection.write(MUCH)
        flusher.finish(connection)
        await trio.sleep(LINGER - 0.1)
        before = connection.closed
        await trio.sleep(0.2)
        assert (before, connection.closed) == (False, True)
        assert connection.size == 0
        await client.aclose()


async def test_a_client_that_goes_is_no_failure(autojump_clock: MockClock) -> None:
    async with pair() as (connection, client, flusher):
        connection.write(MUCH)
        await settle()
        await client.aclose()
        await settle()
        assert connection.closed
        connection.write(b"more")
        await settle()
        assert connection.size == 0
        with pytest.raises(trio.BrokenResourceError):
            await connection.send_all(b"more")
        flusher.finish(connection)
        await settle()


async def test_the_end_of_the_flusher_closes(autojump_clock: MockClock) -> None:
    async with pair(memory_stream_pair) as (connection, client, flusher):
        connection.write(b"the last words")
        flusher.finish(connection)
    assert await read(client) == b"the last words"


async def test_a_flusher_that_is_not_there_closes_at_once() -> None:
    ours, theirs = memory_stream_pair()
    connection = StreamConnection(ours, Flusher())
    connection.write(b"lost")
    Flusher().finish(connection)
    assert connection.closed
    assert await theirs.receive_some() == b""


async def test_it_is_a_stream_for_http(autojump_clock: MockClock) -> None:
    async with pair() as (connection, client, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.send_all, MUCH)
            assert await read(client, len(MUCH)) == MUCH
            nursery.start_soon(client.send_all, b"question")
            assert await connection.receive_some(4) == b"ques"
            assert await connection.receive_some() == b"tion"
        await client.aclose()
        assert await connection.receive_some() == b""
        connection.close()


async def test_reading_is_held_while_something_is_to_be_awaited(autojump_clock: MockClock) -> None:
    taken: list[tuple[bytes, float]] = []

    async def hold() -> None:
        await trio.sleep(3)

    def take(data: bytes) -> Awaitable[None] | None:
        taken.append((data, trio.current_time()))
        return hold() if data == b"slow" else None

    async with pair() as (connection, client, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.feed, take)
            began = trio.current_time()
            for data in (b"one", b"slow", b"two"):
                await client.send_all(data)
            await client.aclose()
        assert [(data, at - began) for data, at in taken] == [(b"one", 0), (b"slow", 0), (b"two", 3)]
        connection.close()
