"""The grace: who comes back in time, here or on another node, never seems to have gone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio

from phxactor import KILL, Pid, Presence, PubSub, open_runtime, spawn
from phxactor.otp import Child
from phxactor.presence import Grouped
from phxactor.testing import SimulatedNode, cluster
from tests.presence.rooms import member, socket_of
from tests.presence.test_nodes import Watcher


class Patient(Presence, pubsub=PubSub("news"), grace=5):
    """Holds leaves back for 5 s."""


def children() -> Sequence[Child]:
    """Make what each node runs."""
    return [PubSub("news"), Patient]


async def test_PR117_a_page_that_is_loaded_again_is_one_diff_and_no_key_vanishes(
    autojump_clock: trio.abc.Clock,
) -> None:
    async with open_runtime():
        await Patient.start_link()
        socket = socket_of(Patient)
        watcher = await member(socket)
        ann = await member(socket, key="ann", meta={"n": 1})
        await ann.client.close()
        await trio.sleep(4)
        assert await watcher.fold() == {"ann": {"metas": [{"n": 1}]}}
        assert Patient.list("t:1") == {}
        again = await member(socket, key="ann", meta={"n": 2})
        assert await watcher.fold() == {"ann": {"metas": [{"n": 2}]}}
        assert await again.fold() == {"ann": {"metas": [{"n": 2}]}}
        await trio.sleep(60)
        assert len(watcher.diffs) == 2
        await again.client.close()
        await trio.sleep(4.9)
        assert list(await watcher.fold()) == ["ann"]
        await trio.sleep(0.2)
        assert await watcher.fold() == {}
        assert len(watcher.diffs) == 3


class PatientWithNames(Presence, pubsub=PubSub("news"), grace=5, max_listed=2):
    """Holds leaves back, has a `fetch`, and shows clients two of all."""

    async def fetch(self, topic: str, presences: Grouped) -> Grouped:
        return {key: {**entry, "name": key.upper()} for key, entry in presences.items()}


@pytest.mark.parametrize("presence", [Patient, PatientWithNames])
async def test_PR117_a_client_that_joins_meanwhile_is_shown_who_may_come_back(
    autojump_clock: trio.abc.Clock, presence: type[Presence]
) -> None:
    async with open_runtime():
        await presence.start_link()
        socket = socket_of(presence)
        watcher = await member(socket)
        ann = await member(socket, key="ann", meta={"n": 1})
        known = await watcher.fold()
        await ann.client.close()
        await trio.sleep(1)
        late = await member(socket)
        assert await late.fold() == await watcher.fold() == known
        again = await member(socket, key="ann", meta={"n": 2})
        for one in (watcher, late, again):
            assert [meta["n"] for meta in (await one.fold())["ann"]["metas"]] == [2]
        assert not any(key not in diff["joins"] for diff in late.diffs for key in diff["leaves"])
        await again.client.close()
        await trio.sleep(1)
        later = await member(socket)
        await trio.sleep(5)
        for one in (watcher, late, later):
            assert await one.fold() == {}


async def test_PR117_who_is_untracked_or_has_another_tab_leaves_at_once(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await Patient.start_link()
        socket = socket_of(Patient)
        watcher = await member(socket)
        ann, tab = await member(socket, key="ann", meta={"n": 1}), await member(socket, key="ann", meta={"n": 2})
        await ann.client.close()
        assert await watcher.fold() == {"ann": {"metas": [{"n": 2}]}}
        tab.room.push("untrack", {"key": "ann"})
        assert await watcher.fold() == {}


async def test_several_keys_have_a_grace_each(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await Patient.start_link()
        watcher = await member(socket_of(Patient))
        for n in range(3):
            spawn(live, f"k{n}", 10 + n)
        await trio.sleep(11)
        assert sorted(await watcher.fold()) == ["k0", "k1", "k2"]
        for n in range(1, 4):
            await trio.sleep(4.5 if n == 1 else 1)
            assert sorted(await watcher.fold()) == [f"k{m}" for m in range(n, 3)]


async def live(key: str, seconds: float) -> None:
    """Be present for some seconds."""
    Patient.track("t:1", key)
    await trio.sleep(seconds)


async def people(node: SimulatedNode, *keys: str) -> list[Pid]:
    """Start a process for each key, and wait until it is present."""

    async def stay(key: str, tracked: trio.Event) -> None:
        Patient.track("t", key)
        tracked.set()
        await trio.sleep_forever()

    started = []
    for key in keys:
        tracked = trio.Event()
        started.append(node.spawn(stay, key, tracked))
        await tracked.wait()
    return started


async def test_PR117_in_a_rolling_restart_nobody_flickers(autojump_clock: trio.abc.Clock) -> None:
    names = [f"k{n}" for n in range(200)]
    async with cluster(3, children=children, delay=0.01) as nodes:
        homes = [await people(nodes[0], *names[:100]), await people(nodes[1], *names[100:])]
        await trio.sleep(1)
        watcher = Watcher(nodes[2], presence=Patient)
        for node, home, moved in ((nodes[0], homes[0], names[:100]), (nodes[1], homes[1], names[100:])):
            for pid in home[:50]:
                node.runtime.exit(pid, "shutdown")
            await node.leave()
            await trio.sleep(1)
            await nodes.restart(node)
            await people(node, *moved)
            await trio.sleep(1)
        await trio.sleep(20)
        came = {key for diff in watcher.diffs for key in diff["joins"]}
        went = [key for diff in watcher.diffs for key in diff["leaves"] if key not in diff["joins"]]
        assert came == set(names)
        assert went == []


@pytest.mark.parametrize("silent", [False, True])
async def test_PR117_who_was_on_a_killed_node_has_no_grace(autojump_clock: trio.abc.Clock, silent: bool) -> None:
    async with cluster(2, children=children, delay=0.01) as nodes:
        await people(nodes[0], "ann", "bob")
        await trio.sleep(1)
        watcher = Watcher(nodes[1], presence=Patient)
        await trio.sleep(1)
        await nodes[0].kill(silent=silent)
        await trio.sleep(6 if silent else 0.5)
        assert watcher.names() == [([], ["ann", "bob"])]


async def test_a_grace_that_is_running_ends_with_the_presence(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime() as runtime:
        await Patient.start_link()
        pid = spawn(live, "ann", 60)
        await trio.sleep(1)
        runtime.exit(pid, KILL)
        await trio.sleep(1)
        assert len(runtime.timers.pending()) == 1
    assert runtime.timers.pending() == []
