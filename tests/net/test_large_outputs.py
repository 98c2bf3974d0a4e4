"""Large outputs: copied for no connection, and written in turns, so that no other connection waits long."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress

import pytest
import trio
import trio.testing

from phxactor.net import AVAILABLE, Connection, Flusher, Reader
from phxactor.net import _flusher as module
from phxactor.net._writables import FEW, Writables
from phxactor.otp import Supervisor
from phxactor.runtime import KILL, open_runtime
from phxactor.testing import settle
from tests.net.test_flusher import MUCH, read, world
from tests.sockets.serving import eventually

pytestmark = pytest.mark.socket
epoll = pytest.mark.skipif(not AVAILABLE, reason="this system has no epoll")


async def test_much_in_pieces_is_sent_in_order_and_copied_for_no_connection() -> None:
    async with world() as it:
        pairs = [it.pair() for _ in range(3)]
        for number, (connection, _) in enumerate(pairs):
            for piece in (b"<%d>" % number, MUCH, b"</>", b"last"):
                connection.write(piece)
        await settle()
        for connection, _ in pairs:
            assert isinstance(connection.head, memoryview)
            assert connection.head.obj is MUCH
            assert connection.tail == [b"</>", b"last"]
            assert connection.size == len(connection.head) + 7
        for number, (connection, client) in enumerate(pairs):
            with client:
                whole = b"<%d>" % number + MUCH + b"</>last"
                assert await read(client, len(whole)) == whole
                await eventually(lambda: connection.size == 0 and connection.drain_scope is None)  # noqa: B023 - awaited at once
                assert (connection.head, connection.tail) == (b"", None)
                connection.close()


async def test_more_pieces_than_one_call_takes_are_all_sent() -> None:
    async with world() as it:
        connection, client = it.pair()
        with client:
            pieces = [b"%07d" % number for number in range(30_000)]
            for piece in pieces:
                connection.write(piece)
            whole = b"".join(pieces)
            assert await read(client, len(whole)) == whole
            await eventually(lambda: connection.size == 0 and connection.tail is None)
            connection.close()


async def test_much_in_pieces_for_a_client_that_has_left_is_dropped() -> None:
    async with world() as it:
        connection, client = it.pair()
        client.close()
        for piece in (b"<", MUCH, b">"):
            connection.write(piece)
        await settle()
        assert connection.closed
        assert (connection.head, connection.tail, connection.size) == (b"", None, 0)
        connection.close()


async def test_a_turn_of_large_outputs_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN", 0.0)
    async with world() as it:
        pairs = [it.pair() for _ in range(5)]
        passes: list[int] = []
        flush = Flusher._flush  # noqa: SLF001

        def untouched() -> int:
            return sum(connection.size == len(MUCH) for connection, _ in pairs)

        def counted(flusher: Flusher) -> None:
            before = untouched()
            flush(flusher)
            passes.append(before - untouched())

        with monkeypatch.context() as patch:
            patch.setattr(Flusher, "_flush", counted)
            for connection, _ in pairs:
                connection.write(MUCH)
            await settle()
        assert passes == [2, 2, 1]  # the first of a turn starts its clock
        for connection, client in pairs:
            with client:
                assert await read(client, len(MUCH)) == MUCH
            connection.close()


@epoll
async def test_those_that_take_more_at_once_are_woken_a_few_in_each_pass() -> None:
    writables = Writables()
    with ExitStack() as open_ones:
        async with trio.open_nursery() as nursery:
            for _ in range(FEW + 3):
                ours, theirs = socket.socketpair()
                open_ones.enter_context(ours)
                open_ones.enter_context(theirs)
                nursery.start_soon(writables.wait, ours)
            await settle()
            assert len(writables.waiting) == FEW + 3
            writables.read()
            assert len(writables.waiting) == 3
            writables.read()
        assert not writables.waiting
        writables.wake(None)


@epoll
@pytest.mark.parametrize("end", ["closed", "cancelled", "no reader", "no room"])
async def test_a_wait_for_room_ends_in_any_case(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    writables = Writables()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0)
        with suppress(BlockingIOError):
            while ours.send(MUCH):
                pass
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(writables.wait, ours)
                await settle()
                writables.read()
                assert len(writables.waiting) == 1
                if end == "closed":
                    writables.close(ours)
                elif end == "cancelled":
                    scope.cancel()
                elif end == "no room":
                    theirs.close()
                    writables.read()
                else:
                    writables.wake(None)
        assert not writables.waiting
        if end != "no reader":
            writables.close(ours)  # nobody waits any more
            writables.wake(None)
        assert await writables.wait(ours) is False


@epoll
@pytest.mark.parametrize("end", [None, "reader", "flusher"])
async def test_all_is_written_though_the_reader_or_the_flusher_starts_anew(end: str | None) -> None:
    async with open_runtime():
        flusher, reader = Flusher(), Reader()
        children = [flusher.child_spec(), reader.child_spec()]
        supervisor = (await Supervisor.start_link(children)).unwrap()
        await settle()
        ours, client = socket.socketpair()
        client.settimeout(0)
        connection = Connection(ours, flusher, reader)
        with client:
            connection.write(MUCH * 4)
            await eventually(lambda: connection.drain_scope is not None)
            await settle()
            if end is not None:
                for child in await Supervisor.which_children(supervisor):
                    if child.id == end:
                        child.pid.exit(KILL)  # type: ignore[union-attr]
            assert await read(client, len(MUCH) * 4) == MUCH * 4
            await eventually(lambda: connection.size == 0 and connection.drain_scope is None)
            connection.close()
