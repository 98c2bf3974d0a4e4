"""The reader over socket pairs: what comes is handed over in order, as its connection's process, to the end."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import chain, pairwise

import attrs
import pytest
import trio
import trio.testing

from phxactor.net import AVAILABLE, Connection, Flusher, Reader
from phxactor.net import _reader as module
from phxactor.net._reading import Reading
from phxactor.otp import Supervisor
from phxactor.runtime import KILL, Crash, Pid, Runtime, open_runtime, self_pid, spawn
from phxactor.testing import settle
from tests.patience import PATIENCE
from tests.sockets.serving import eventually

pytestmark = [pytest.mark.socket, pytest.mark.skipif(not AVAILABLE, reason="this system has no epoll")]


@attrs.frozen
class World:
    """A reader that runs."""

    runtime: Runtime
    reader: Reader
    supervisor: Pid

    async def pid(self) -> Pid:
        (child,) = await Supervisor.which_children(self.supervisor)
        assert isinstance(child.pid, Pid)
        return child.pid

    def feed(self, take: Callable[[bytes], Awaitable[None] | None]) -> tuple[Pid, socket.socket]:
        """Start a process that is fed, and return it with the client's end."""
        ours, theirs = socket.socketpair()
        connection = Connection(ours, Flusher(), self.reader)

        async def run() -> None:
            try:
                await connection.feed(take)
            finally:
                connection.close()

        return spawn(run), theirs


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    async with open_runtime() as runtime:
        reader = Reader()
        supervisor = (await Supervisor.start_link([reader.child_spec()])).unwrap()
        await settle()
        yield World(runtime, reader, supervisor)


async def test_all_that_comes_is_taken_by_the_process_of_the_connection_to_the_end() -> None:
    async with world() as it:
        taken: list[tuple[Pid, bytes]] = []
        pid, client = it.feed(lambda data: taken.append((self_pid(), data)))
        for text in (b"one", b"two"):
            client.send(text)
            await eventually(lambda: bool(taken) and taken[-1][1] == text)  # noqa: B023 - awaited at once
        client.close()
        assert await it.runtime.ended(pid) == "normal"
        assert taken == [(pid, b"one"), (pid, b"two")]


async def test_nothing_is_read_while_something_is_awaited() -> None:
    async with world() as it:
        taken: list[bytes] = []
        gate = trio.Event()

        def take(data: bytes) -> Awaitable[None] | None:
            taken.append(data)
            return gate.wait() if data == b"hold" else None

        pid, client = it.feed(take)
        client.send(b"hold")
        await eventually(lambda: taken == [b"hold"])
        client.send(b"more")
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert taken == [b"hold"]
        gate.set()
        await eventually(lambda: taken == [b"hold", b"more"])
        client.close()
        assert await it.runtime.ended(pid) == "normal"


async def test_what_take_raises_ends_its_own_process_only() -> None:
    async with world() as it:
        taken: list[bytes] = []

        def take(data: bytes) -> None:
            raise ValueError(data.decode())

        failing, one = it.feed(take)
        fine, other = it.feed(taken.append)
        with one, other:
            one.send(b"boom")
            other.send(b"hello")
            reason = await it.runtime.ended(failing)
            assert isinstance(reason, Crash)
            assert str(reason.exception) == "boom"
            await eventually(lambda: taken == [b"hello"])
            assert fine.alive
            fine.exit(KILL)


async def test_a_reset_is_a_broken_resource() -> None:
    async with world() as it:
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = socket.create_connection(server.getsockname())
            ours, _ = server.accept()
        connection = Connection(ours, Flusher(), it.reader)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        with pytest.raises(trio.BrokenResourceError):
            await connection.feed(lambda _: None)
        connection.close()


async def test_one_that_is_killed_is_read_no_more() -> None:
    async with world() as it:
        taken: list[bytes] = []
        pid, client = it.feed(taken.append)
        with client:
            await settle()
            client.send(b"too late")
            pid.exit(KILL)
            assert await it.runtime.ended(pid) == "killed"
            assert taken == []


async def test_without_the_reader_connections_break_and_with_the_next_one_others_are_read() -> None:
    async with world() as it:
        pid, client = it.feed(lambda _: None)
        await settle()
        first = await it.pid()
        first.exit(KILL)
        with client:
            reason = await it.runtime.ended(pid)
            assert isinstance(reason, Crash)
            assert isinstance(reason.exception, trio.BrokenResourceError)
        assert await it.pid() is not first
        taken: list[bytes] = []
        _, client = it.feed(taken.append)
        client.send(b"again")
        await eventually(lambda: taken == [b"again"])
        client.close()


async def test_many_are_read_in_turns() -> None:
    async with world() as it:
        taken: list[bytes] = []
        clients = [it.feed(taken.append)[1] for _ in range(200)]
        for number, client in enumerate(clients):
            client.send(b"%d" % number)
        await eventually(lambda: len(taken) == len(clients))
        assert sorted(map(int, taken)) == list(range(200))
        for client in clients:
            client.close()


async def test_who_takes_long_lets_others_run_before_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN", 0)
    async with world() as it:
        taken: list[bytes] = []
        clients = [it.feed(taken.append)[1] for _ in range(10)]
        await settle()
        for number, client in enumerate(clients):
            client.send(b"%d" % number)
        seen = [len(taken)]
        while len(taken) < len(clients):
            await trio.lowlevel.checkpoint()
            seen.append(len(taken))
        assert all(after - before <= 1 for before, after in pairwise(seen))
        assert sorted(map(int, taken)) == list(range(10))
        for client in clients:
            client.close()


async def test_one_that_ends_before_its_turn_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN", 0)
    async with world() as it:
        pids: list[Pid] = []

        def take(_: bytes) -> None:
            for pid in pids:
                if pid is not self_pid():
                    pid.exit(KILL)

        fed = [it.feed(take) for _ in range(5)]
        pids += [pid for pid, _ in fed]
        await settle()
        for _, client in fed:
            client.send(b"x")
        await eventually(lambda: sum(pid.alive for pid in pids) == 1)
        late: list[bytes] = []
        _, client = it.feed(late.append)  # it may have the descriptor of one of those
        client.send(b"hello")
        await eventually(lambda: late == [b"hello"])
        client.close()
        for _, other in fed:
            other.close()


async def _first(it: World, do: Callable[[socket.socket], object], seconds: float = 60) -> bytes:
    """Have the first bytes of a connection received while the client does something."""
    ours, theirs = socket.socketpair()
    connection, received = Connection(ours, Flusher(), it.reader), []

    async def run() -> None:
        received.append(await connection.receive_first(seconds))

    with theirs, ours:
        pid = spawn(run)
        await settle()
        do(theirs)
        await it.runtime.ended(pid)
    return b"".join(received)


@pytest.mark.parametrize(
    ("do", "received"),
    [
        (lambda client: client.send(b"GET /"), b"GET /"),
        (lambda client: client.close(), b""),
        (lambda client: client.shutdown(socket.SHUT_WR), b""),
    ],
    ids=["speaks", "leaves", "has nothing to say"],
)
async def test_the_first_bytes_are_received_or_the_end_is(
    do: Callable[[socket.socket], object], received: bytes
) -> None:
    async with world() as it:
        assert await _first(it, do) == received


async def test_first_bytes_that_do_not_come_are_waited_for_as_long_as_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with world() as it:
        began = trio.current_time()
        assert await _first(it, lambda _: None, seconds=7) == b""
        assert trio.current_time() - began == pytest.approx(7)


async def test_first_bytes_whose_turn_is_over_come_with_the_next_pass(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TURN", 0)
    async with world() as it:
        pairs = [socket.socketpair() for _ in range(5)]
        received: list[bytes] = []

        async def run(ours: socket.socket) -> None:
            received.append(await Connection(ours, Flusher(), it.reader).receive_first(60))

        pids = [spawn(run, ours) for ours, _ in pairs]
        await settle()
        for _, client in pairs:
            client.send(b"GET /")
        for pid in pids:
            await it.runtime.ended(pid)
        assert received == 5 * [b"GET /"]
        for one in chain(*pairs):
            one.close()


async def test_after_the_first_bytes_the_rest_is_fed() -> None:
    async with world() as it:
        ours, client = socket.socketpair()
        connection, taken = Connection(ours, Flusher(), it.reader), []

        async def run() -> None:
            taken.append(await connection.receive_first(60))
            await connection.feed(taken.append)
            connection.close()

        pid = spawn(run)
        for text in (b"first", b"second"):
            client.send(text)
            await eventually(lambda: bool(taken) and taken[-1] == text)  # noqa: B023 - awaited at once
        client.close()
        assert await it.runtime.ended(pid) == "normal"
        assert taken == [b"first", b"second"]


async def test_who_waits_for_first_bytes_may_be_killed_and_his_descriptor_used_again() -> None:
    async with world() as it:
        ours, client = socket.socketpair()
        fileno = ours.fileno()

        async def run() -> None:
            await Connection(ours, Flusher(), it.reader).receive_first(60)

        with client:
            pid = spawn(run)
            await settle()
            pid.exit(KILL)
            assert await it.runtime.ended(pid) == "killed"
            ours.close()
            again, other = socket.socketpair()
            with again, other:
                assert fileno in (again.fileno(), other.fileno())
                assert await _first(it, lambda one: one.send(b"hello")) == b"hello"


async def test_who_waits_for_first_bytes_has_none_when_the_reader_is_killed_and_the_next_one_receives() -> None:
    async with world() as it:
        pid = await it.pid()
        assert await _first(it, lambda _: pid.exit(KILL)) == b""
        await settle()
        assert await _first(it, lambda client: client.send(b"hello")) == b"hello"


@pytest.mark.parametrize("fed", [False, True])
async def test_who_cannot_be_registered_is_not_remembered(monkeypatch: pytest.MonkeyPatch, fed: bool) -> None:
    class Full:
        """An epoll object that takes no more, as over fs.epoll.max_user_watches."""

        closed = False

        def register(self, *_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        def unregister(self, *_: int) -> None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    async with world() as it:
        ours, client = socket.socketpair()
        failed = []

        async def run() -> None:
            connection = Connection(ours, Flusher(), it.reader)
            try:
                await (connection.feed(lambda _: None) if fed else connection.receive_first(60))
            except OSError as error:
                failed.append(error.errno)

        with ours, client, monkeypatch.context() as patch:
            patch.setattr(it.reader, "_poll", Full())
            patch.setattr(it.reader._newcomers, "poll", Full())  # noqa: SLF001
            await it.runtime.ended(spawn(run))
        assert failed == [errno.ENOSPC]
        assert not any(type(one) is Reading for one in it.reader._readings.values())  # noqa: SLF001 - or it wakes the dead later
        assert not it.reader._newcomers.waiting  # noqa: SLF001


async def test_a_socket_that_is_closed_here_wakes_the_task_that_waits_for_it() -> None:
    """The next socket may have its descriptor by then, and is read all the same."""
    async with world() as it:
        ours, theirs = socket.socketpair()
        connection = Connection(ours, Flusher(), it.reader)
        number = ours.fileno()
        broken: list[str] = []

        async def receive() -> None:
            try:
                await connection.receive_some()
            except trio.BrokenResourceError as error:
                broken.append(str(error))

        with theirs, trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive)
                await eventually(lambda: bool(it.reader._newcomers.waiting))  # noqa: SLF001
                connection.close()
                ours, other = socket.socketpair()
                assert number in (ours.fileno(), other.fileno())
                again = Connection(ours, Flusher(), it.reader)
                with other:
                    other.send(b"hello")
                    assert await again.receive_some() == b"hello"
                again.close()
        assert broken == ["the connection was closed here"]
