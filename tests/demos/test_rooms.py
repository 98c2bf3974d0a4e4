"""The counters and the channel of the rooms demo: in a program without workers, and in a simulated cluster."""

from __future__ import annotations

import os
import signal

import pytest
import trio
from trio.testing import MockClock

from phxactor import Exit, call, open_runtime
from phxactor.demos.rooms.app import VisitorSocket
from phxactor.demos.rooms.counter import NAMES, Counted, counters
from phxactor.otp import Supervisor
from phxactor.testing import ClientChannel, cluster, connect

ALONE = {"worker": 0, "pid": os.getpid(), "workers": [0], "rooms": list(NAMES)}


async def enter() -> ClientChannel:
    client = await connect(VisitorSocket)
    house = await client.subscribe_and_join("house", {})
    assert {**house.response, "rooms": [*house.response["rooms"]]} == ALONE
    return house


async def test_an_addition_is_answered_and_told_to_all(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await Supervisor.start_link([counters])
        house = await enter()
        for count in (1, 2):
            ref = house.push("add", {"room": "den"})
            reply = await house.assert_reply(ref, "ok")
            told = {"room": "den", "count": count, "worker": 0, "began": 0, "term": reply["term"]}
            assert reply == told
            await house.assert_broadcast("counted", told)


async def test_a_room_that_is_not_there_is_refused(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await Supervisor.start_link([counters])
        house = await enter()
        ref = house.push("add", {"room": "moon"})
        await house.assert_reply(ref, "error")


async def test_an_addition_without_an_answer_is_unknown(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object) -> None:
        raise Exit("nodedown")

    monkeypatch.setattr("phxactor.demos.rooms.channel.call", lost)
    async with open_runtime():
        await Supervisor.start_link([counters])
        house = await enter()
        ref = house.push("add", {"room": "den"})
        await house.assert_reply(ref, "error", {"reason": "unknown"})


@pytest.mark.parametrize(("what", "number"), [("kill", signal.SIGKILL), ("drain", signal.SIGTERM)])
async def test_a_visitor_ends_its_own_worker(
    what: str, number: signal.Signals, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *what: ended.append(what))
    async with open_runtime():
        await Supervisor.start_link([counters])
        house = await enter()
        house.push(what, {})
        ref = house.push("add", {"room": "den"})
        await house.assert_reply(ref, "ok")
    assert ended == [(os.getpid(), number)]


@pytest.mark.parametrize("dies", [False, True])
async def test_what_comes_along_is_told_with_the_next_addition(dies: bool, autojump_clock: MockClock) -> None:
    async with cluster(2, children=lambda: [counters]) as nodes:
        await trio.sleep(5)

        async def add(room: str) -> Counted:
            counted: Counted = await call(counters[room], "add")
            return counted

        before = [await nodes[0].run(add, room) for room in NAMES]

        async def owned_by_other() -> list[str]:
            return [room for room in NAMES if counters[room].node == nodes[1].identity]

        there = await nodes[0].run(owned_by_other)
        await (nodes[1].kill() if dies else nodes[1].leave())
        await trio.sleep(10)
        after = [await nodes[0].run(add, room) for room in NAMES]

    assert 0 < len(there) < len(NAMES)
    for room, old, new in zip(NAMES, before, after, strict=True):
        moved = room in there
        assert new["began"] == (1 if moved and not dies else 0)
        assert new["count"] == (1 if moved and dies else 2)
        assert (new["term"] > old["term"]) is moved
