"""The flusher and connections over socket pairs: what is written arrives, in order, whatever the other side does."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from phxactor.net import Connection, Flusher
from phxactor.net import _flusher as module
from phxactor.otp import Supervisor
from phxactor.runtime import KILL, Crash, Pid, Runtime, open_runtime
from phxactor.testing import settle
from tests.patience import PATIENCE
from tests.sockets.serving import eventually

pytestmark = pytest.mark.socket

MUCH = b"0123456789abcdef" * 50_000
"""More than a socket pair takes at once."""


@attrs.frozen
class World:
    """A flusher that runs."""

    runtime: Runtime
    flusher: Flusher
    pid: Pid

    def pair(self) -> tuple[Connection, socket.socket]:
        """Make a connection, and the client's end of it."""
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        theirs.settimeout(0)
        return Connection(ours, self.flusher), theirs


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    async with open_runtime() as runtime:
        flusher = Flusher()
        supervisor = (await Supervisor.start_link([flusher.child_spec()])).unwrap()
        (child,) = await Supervisor.which_children(supervisor)
        assert isinstance(child.pid, Pid)
        await settle()
        yield World(runtime, flusher, child.pid)


async def read(sock: socket.socket, size: int = 2**30, *, pause: float = 0) -> bytes:
    """Read so many bytes, or to the end."""
    data = b""
    with trio.fail_after(PATIENCE):
        while len(data) < size:
            await trio.lowlevel.wait_readable(sock)
            some = sock.recv(65536)
            if not some:
                break
            data += some
            await trio.sleep(pause)
    return data


async def test_what_is_written_in_one_pass_goes_out_with_one_call() -> None:
    async with world() as it:
        connection, client = it.pair()
        with client:
            connection.write(b"one ")
            connection.write(b"two")
            assert connection.size == 7
            with pytest.raises(BlockingIOError):
                client.recv(10)
            await settle()
            assert client.recv(65536) == b"one two"
            assert connection.size == 0
            connection.close()


async def test_the_order_is_kept_when_the_system_takes_no_more() -> None:
    async with world() as it:
        connection, client = it.pair()
        with client:
            connection.write(MUCH)
            await settle()
            assert 0 < connection.size < len(MUCH)
            for number in range(100):
                connection.write(b"%d," % number)
            await settle()
            tail = b"".join(b"%d," % number for number in range(100))
            assert await read(client, len(MUCH) + len(tail)) == MUCH + tail
            await eventually(lambda: connection.size == 0 and connection.drain_scope is None)
            connection.write(b"more")
            assert await read(client, 4) == b"more"
            connection.close()


async def test_one_that_does_not_read_holds_up_nobody() -> None:
    async with world() as it:
        stuck, input_closed = it.pair()
        connection, client = it.pair()
        with input_closed, client:
            stuck.write(MUCH)
            connection.write(b"hello")
            assert await read(client, 5) == b"hello"
            stuck.close()
            connection.close()


@pytest.mark.parametrize("passes", [0, 1, 2, 5])
@pytest.mark.parametrize("size", [0, 10, len(MUCH)])
async def test_finishing_sends_what_waits_and_then_closes(passes: int, size: int) -> None:
    for _ in range(10):  # the scheduler's order is another each time
        async with world() as it:
            connection, client = it.pair()
            with client:
                if size:
                    connection.write(MUCH[:size])
                for _ in range(passes):
                    await trio.lowlevel.checkpoint()
                it.flusher.finish(connection)
                assert await read(client) == MUCH[:size]
                client.close()
                await eventually(lambda: connection.closed)  # noqa: B023 - awaited at once
                assert it.pid.alive


async def test_many_finish_at_once() -> None:
    async with world() as it:
        pairs = [it.pair() for _ in range(100)]
        for connection, _ in pairs:
            connection.write(MUCH[:20_000])
            it.flusher.finish(connection)
        for _, client in pairs:
            with client:
                assert await read(client) == MUCH[:20_000]
        await eventually(lambda: all(connection.closed for connection, _ in pairs))
        assert it.pid.alive


@pytest.mark.parametrize("size", [10, len(MUCH)])
async def test_who_does_not_take_the_end_is_given_up(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(module, "LINGER", 0.05)
    async with world() as it:
        connection, client = it.pair()
        with client:
            connection.write(MUCH[:size])
            it.flusher.finish(connection)
            await eventually(lambda: connection.closed)
            assert connection.size == 0
            assert it.pid.alive


@pytest.mark.parametrize("size", [10, len(MUCH)])
async def test_a_client_that_resets_is_no_failure(size: int) -> None:
    async with world() as it:
        connection, client = it.pair()
        connection.write(MUCH[:size])
        await trio.lowlevel.checkpoint()
        client.close()
        connection.write(b"more")
        await eventually(lambda: connection.closed)
        connection.write(b"more")
        await settle()
        it.flusher.finish(connection)
        await settle()
        connection.write(b"more")
        await settle()
        assert it.pid.alive


async def test_the_end_of_the_flusher_sends_what_waits() -> None:
    async with world() as it:
        connection, client = it.pair()
        connection.write(b"the last words")
        it.flusher.finish(connection)
    with client:
        assert client.recv(65536) == b"the last words"
        assert client.recv(65536) == b""


@pytest.mark.parametrize("passes", [0, 1, 2, 3])
@pytest.mark.parametrize("finished_first", [False, True])
async def test_a_flusher_that_is_killed_leaves_no_slow_connection_open(*, passes: int, finished_first: bool) -> None:
    async with world() as it:
        connection, client = it.pair()
        with client:
            connection.write(MUCH)
            for _ in range(passes):
                await trio.lowlevel.checkpoint()
            if finished_first:
                it.flusher.finish(connection)
            it.pid.exit(KILL)
            await it.runtime.ended(it.pid)
            if not finished_first:
                it.flusher.finish(connection)
            assert connection.closed
            assert MUCH.startswith(await read(client))


async def test_what_came_behind_a_failure_is_sent_by_the_next_flusher(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as it:
        (bad, client), (good, other) = it.pair(), it.pair()
        with client, other:

            def fails(data: bytes) -> int:
                raise MemoryError(data)

            monkeypatch.setattr(bad, "_send", fails)
            bad.write(b"x")
            good.write(b"hello")
            await it.runtime.ended(it.pid)
            good.write(b" world")
            assert await read(other, 11) == b"hello world"
            bad.close()
            good.close()


async def test_a_flusher_that_stops_gives_slow_connections_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOP", 0.05)
    async with world() as it:
        connection, client = it.pair()
        connection.write(MUCH)
        await settle()
        it.flusher.finish(connection)
    with client:
        assert connection.closed


async def test_whatever_writing_raises_ends_the_flusher_and_does_not_silence_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world() as it:
        connection, client = it.pair()
        with client:

            def interrupted(data: bytes) -> int:
                raise SystemExit(data)

            monkeypatch.setattr(connection, "_send", interrupted)
            connection.write(b"x")
            reason = await it.runtime.ended(it.pid)
            assert isinstance(reason, Crash)
            assert isinstance(reason.exception, SystemExit)
            connection.close()


async def test_a_flusher_that_is_not_there_closes_at_once() -> None:
    ours, theirs = socket.socketpair()
    flusher = Flusher()
    connection = Connection(ours, flusher)
    with theirs:
        connection.write(b"hello")
        flusher.finish(connection)
        assert theirs.recv(10) == b"hello"
        assert connection.closed


async def test_a_connection_is_a_stream_for_http() -> None:
    async with world() as it:
        connection, client = it.pair()
        with client:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(connection.send_all, MUCH)
                assert await read(client, len(MUCH)) == MUCH
            client.send(b"question")
            assert await connection.receive_some(4) == b"ques"
            assert await connection.receive_some() == b"tion"
            client.close()
            assert await connection.receive_some() == b""
            with pytest.raises(trio.BrokenResourceError):
                await connection.send_all(b"answer")
            connection.close()


async def test_slices_of_many_connections_let_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", 2)
    async with world() as it:
        pairs = [it.pair() for _ in range(7)]
        for connection, _ in pairs:
            connection.write(b"x")
        for connection, client in pairs:
            with client:
                assert await read(client, 1) == b"x"
            connection.close()


async def test_who_is_marked_behind_many_does_not_wait_for_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", 10)
    async with world() as it:
        crowd = [it.pair() for _ in range(100)]
        late, client = it.pair()
        with client:
            for connection, _ in crowd:
                connection.write(b"news")
            await trio.lowlevel.checkpoint()
            late.write(b"echo")
            await trio.lowlevel.checkpoint()
            assert client.recv(10) == b"echo"
            with pytest.raises(BlockingIOError):  # though some of those before are still to come
                crowd[-1][1].recv(10)
            for connection, other in crowd:
                assert await read(other, 4) == b"news"
                connection.close()
                other.close()
            late.close()
