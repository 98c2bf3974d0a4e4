"""PR149: a topic of which clients are shown some, and the number of all."""

from __future__ import annotations

from typing import Any, cast

import pytest
import trio

from phxactor import KILL, Presence, PubSub, open_runtime, spawn
from phxactor.presence import Grouped
from phxactor.socket import Message
from phxactor.testing import settle
from tests.presence.rooms import Member, member, socket_of

LIMIT = 10


class Few(Presence, pubsub=PubSub("news"), max_listed=LIMIT):
    """Has no callbacks."""


class FewInParts(Presence, pubsub=PubSub("news"), max_listed=LIMIT, max_state_bytes=1024):
    """Has no callbacks."""


class FewNamed(Presence, pubsub=PubSub("news"), max_listed=LIMIT):
    async def fetch(self, topic: str, presences: Grouped) -> Grouped:
        assert len(presences) <= LIMIT + 1
        return {key: {**entry, "name": key.upper()} for key, entry in presences.items()}


class FewWithGrace(Presence, pubsub=PubSub("news"), max_listed=LIMIT, grace=5):
    """Has no callbacks."""


def counts(one: Member) -> list[int]:
    """Return the counts that a client got."""
    return [
        cast("Any", message.payload)["count"]
        for message in one.client.received
        if isinstance(message, Message) and message.event == "presence_count"
    ]


@pytest.mark.parametrize("presence", [Few, FewInParts, FewNamed])
async def test_PR149_clients_see_some_and_themselves_and_the_number(
    presence: type[Presence], autojump_clock: trio.abc.Clock
) -> None:
    async with open_runtime() as runtime:
        await presence.start_link()
        socket = socket_of(presence)
        early = await member(socket, key="early", meta={"at": "x" * 300})
        pids = [spawn(trio.sleep_forever) for _ in range(50)]
        for number, pid in enumerate(pids):
            presence.track("t:1", f"k{number}", {"at": "x" * 300}, pid=pid)
        await trio.sleep(3)
        late = await member(socket, key="late")
        await trio.sleep(3)
        first = ["early", *(f"k{number}" for number in range(9))]
        assert list(await early.fold()) == first
        assert list(await late.fold()) == [*first, "late"]
        assert presence.count("t:1") == len(presence.list("t:1")) == 52
        assert counts(early)[-1] == counts(late)[-1] == 52
        told = len(early.diffs)
        presence.update("t:1", "k40", {"at": "other"}, pid=pids[40])
        await trio.sleep(3)
        assert len((await early.fold(), early.diffs)[1]) == told

        for pid in pids[:5]:
            runtime.exit(pid, KILL)
        await trio.sleep(3)
        assert set(await early.fold()) == {"early", "k5", "k6", "k7", "k8", "late", "k49", "k48", "k47", "k46"}
        assert set(await late.fold()) == set(await early.fold())
        assert counts(early)[-1] == 47
        for pid in pids[5:]:
            runtime.exit(pid, KILL)
        await trio.sleep(3)
        assert set(await early.fold()) == set(await late.fold()) == {"early", "late"} == set(presence.list("t:1"))
        assert counts(early)[-1] == 2


async def test_PR149_the_number_comes_once_a_second_at_most(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime() as runtime:
        await Few.start_link()
        watcher = await member(socket_of(Few), key=None)
        pids = [spawn(trio.sleep_forever) for _ in range(100)]
        for number, pid in enumerate(pids):
            Few.track("t:1", f"k{number}", pid=pid)
            await trio.sleep(0.05)
        await settle()
        assert 5 <= len(counts(watcher)) <= 6
        assert len((await watcher.fold(), watcher.diffs)[1]) == LIMIT
        for pid in pids:
            runtime.exit(pid, KILL)
        await trio.sleep(2)
        assert counts(watcher)[-1] == 0
        assert await watcher.fold() == {}
        publisher = Few._tables(runtime).publisher  # noqa: SLF001 - that nothing stays is what the test is about
        assert not publisher._publications  # noqa: SLF001


async def test_PR117_PR149_a_listed_key_that_comes_back_stays_listed(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime() as runtime:
        await FewWithGrace.start_link()
        watcher = await member(socket_of(FewWithGrace), key=None)
        pids = [spawn(trio.sleep_forever) for _ in range(30)]
        for number, pid in enumerate(pids):
            FewWithGrace.track("t:1", f"k{number}", pid=pid)
        runtime.exit(pids[3], KILL)
        await trio.sleep(2)
        FewWithGrace.track("t:1", "k3", pid=spawn(trio.sleep_forever))
        await trio.sleep(10)
        assert set(await watcher.fold()) == {f"k{number}" for number in range(LIMIT)}
        runtime.exit(pids[4], KILL)
        await trio.sleep(4)
        assert "k4" in await watcher.fold()
        await trio.sleep(10)
        assert set(await watcher.fold()) == {"k29", *(f"k{number}" for number in range(LIMIT) if number != 4)}


async def test_PR149_up_to_the_limit_all_is_as_without_it(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await Few.start_link()
        socket = socket_of(Few)
        members = [await member(socket, key=f"k{number}") for number in range(LIMIT)]
        for one in members:
            assert set(await one.fold()) == {f"k{number}" for number in range(LIMIT)}
            assert counts(one) == []
