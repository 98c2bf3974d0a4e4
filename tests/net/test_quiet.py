"""Connections that seldom say anything: however many of them speak at once, those who are talking do not wait."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest
import trio

from phxactor.net import AVAILABLE
from phxactor.net import _quiet as module
from phxactor.net._quiet import FEW, LOOKS, Quiet
from phxactor.net._reading import QUIET, Reading
from phxactor.runtime import KILL, Timer
from phxactor.testing import settle
from tests.net.test_reader import World, world
from tests.sockets.serving import eventually

pytestmark = [pytest.mark.socket, pytest.mark.skipif(not AVAILABLE, reason="this system has no epoll")]


def quiet_of(it: World) -> Quiet:
    return it.reader._quiet  # noqa: SLF001


def ages(it: World) -> list[int]:
    return [one.age for one in it.reader._readings.values() if type(one) is Reading]  # noqa: SLF001


def looking_of(it: World) -> Timer | None:
    return it.reader._looking  # noqa: SLF001


def grow_quiet(it: World) -> None:
    for _ in range(LOOKS + 1):
        quiet_of(it).look()


async def test_who_is_talking_is_read_before_those_who_all_speak_at_once() -> None:
    async with world() as it:
        order: list[int] = []

        def taking(number: int) -> Callable[[bytes], None]:
            return lambda _: order.append(number)

        clients = [it.feed(taking(number))[1] for number in range(200)]
        await settle()
        grow_quiet(it)
        assert ages(it) == [QUIET] * 200
        clients.append(it.feed(taking(200))[1])  # a new one is talking
        await settle()
        for client in clients:
            client.send(b"hello")
        await eventually(lambda: len(order) == 201)
        assert order.index(200) <= 2 * FEW
        for client in clients:
            client.close()


async def test_who_speaks_once_stays_quiet_and_who_speaks_twice_is_talking(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    async with world() as it:
        taken: list[bytes] = []
        _, client = it.feed(taken.append)
        with client:
            await settle()
            grow_quiet(it)
            for seconds, age in ((5.0, QUIET), (1.5, QUIET), (0.9, 0)):
                now[0] += seconds
                taken.clear()
                client.send(b"hello")
                await eventually(lambda: bool(taken))
                assert ages(it) == [age]
            quiet_of(it).look()
            assert ages(it) == [1]
            client.send(b"hello")
            await eventually(lambda: ages(it) == [0])


async def test_looks_are_made_only_while_somebody_is_talking_and_move_a_part_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MANY", 2)
    async with world() as it:
        with ExitStack() as clients:
            for _ in range(5):
                clients.enter_context(it.feed(lambda _: None)[1])
            await settle()
            found = [quiet_of(it).look() for _ in range(LOOKS + 4)]
            assert found == [True] * (LOOKS + 2) + [False] * 2
            looking = looking_of(it)
            assert looking is not None  # it was set when the first one came
            it.runtime.patience.discard(looking)
            it.reader._look(None)  # noqa: SLF001
            assert looking_of(it) is None
            clients.enter_context(it.feed(lambda _: None)[1])
            await settle()
            assert looking_of(it) is not None


@pytest.mark.parametrize("end", ["the client leaves", "killed", "it holds"])
async def test_a_quiet_one_ends_as_any_other(end: str) -> None:
    async with world() as it:
        gate = trio.Event()
        taken: list[bytes] = []

        def take(data: bytes) -> object:
            taken.append(data)
            return gate.wait() if end == "it holds" and data == b"hold" else None

        pid, client = it.feed(take)  # type: ignore[arg-type]
        await settle()
        grow_quiet(it)
        with client:
            if end == "killed":
                pid.exit(KILL)
            elif end == "it holds":
                client.send(b"hold")
                await eventually(lambda: taken == [b"hold"])
                gate.set()
                client.send(b"more")
                await eventually(lambda: taken == [b"hold", b"more"])
                assert ages(it) == [0]
            client.close()
            await it.runtime.ended(pid)
        assert ages(it) == []
        assert quiet_of(it).poll.poll(0) == []


async def test_quiet_ones_of_a_reader_that_starts_anew_are_read_by_the_next_one() -> None:
    async with world() as it:
        pid, client = it.feed(lambda _: None)
        await settle()
        grow_quiet(it)
        old = quiet_of(it)
        (await it.pid()).exit(KILL)
        await it.runtime.ended(pid)
        assert old.poll.closed
        taken: list[bytes] = []
        await eventually(lambda: quiet_of(it) is not old)
        _, other = it.feed(taken.append)
        with client, other:
            await settle()
            grow_quiet(it)
            other.send(b"hello")
            await eventually(lambda: taken == [b"hello"])


def test_a_descriptor_that_is_no_reading_is_passed_over() -> None:
    ours, theirs = socket.socketpair()
    talking = select.epoll()
    quiet = Quiet(talking, {ours.fileno(): object()})
    with ours, theirs:
        quiet.poll.register(ours.fileno(), select.EPOLLIN)
        theirs.send(b"hello")
        quiet.read()
        assert quiet.look() is False
    quiet.wake(None)
    talking.close()
