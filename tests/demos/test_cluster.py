"""The channel of the cluster demo, in a simulated cluster's place: a program without workers."""

from __future__ import annotations

import os
import signal

import pytest
from trio.testing import MockClock

from phxactor import open_runtime
from phxactor.demos.cluster.app import VisitorSocket
from phxactor.demos.own_worker import number_of
from phxactor.testing import ClientChannel, connect

ALONE = {"worker": 0, "pid": os.getpid(), "workers": [0]}


async def enter() -> ClientChannel:
    client = await connect(VisitorSocket)
    lobby = await client.subscribe_and_join("lobby", {})
    assert lobby.response == ALONE
    return lobby


def test_the_number_of_a_worker_ends_the_name_of_its_node() -> None:
    assert number_of("shop@web1/2") == 2
    assert number_of("shop@web1") == 0
    assert number_of("") == 0


async def test_what_a_visitor_says_is_heard_with_its_worker(autojump_clock: MockClock) -> None:
    async with open_runtime():
        lobby = await enter()
        ref = lobby.push("say", {"name": "Ada", "body": "hello", "number": 1})
        await lobby.assert_reply(ref, "ok")
        await lobby.assert_broadcast("said", {"name": "Ada", "body": "hello", "number": 1, "worker": 0})


async def test_a_visitor_kills_its_own_worker(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *what: killed.append(what))
    async with open_runtime():
        lobby = await enter()
        lobby.push("kill", {})
        lobby.push("say", {"name": "Ada", "body": "still here", "number": 1})
        await lobby.assert_broadcast("said", {"name": "Ada", "body": "still here", "number": 1, "worker": 0})
    assert killed == [(os.getpid(), signal.SIGKILL)]
