"""Diffs of a topic with very many clients go out in turns: all get all of them, in order, and few of them."""

from __future__ import annotations

import pytest
import trio

from phxactor import KILL, Pid, Presence, PubSub, open_runtime, spawn
from phxactor.otp import Supervisor
from phxactor.presence._tables import Tables
from phxactor.runtime import receive
from phxactor.socket import Broadcast, InTurns
from phxactor.socket import _in_turns as module
from phxactor.testing import settle
from tests.presence.rooms import member, socket_of


class Crowded(Presence, pubsub=PubSub("news")):
    """Has no callbacks."""


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN", 2)


async def test_PR60_PR127_all_are_right_whoever_comes_and_goes_while_a_diff_is_on_its_way(
    autojump_clock: trio.abc.Clock,
) -> None:
    async with open_runtime() as runtime:
        await Crowded.start_link()
        socket = socket_of(Crowded)
        watchers = [await member(socket) for _ in range(9)]
        pids = [spawn(trio.sleep_forever) for _ in range(6)]
        for number, pid in enumerate(pids):
            Crowded.track("t:1", f"k{number}", {"n": 0}, pid=pid)
        for pid in pids:
            Crowded.update("t:1", f"k{pids.index(pid)}", {"n": 1}, pid=pid)
        runtime.exit(pids[0], KILL)
        late = await member(socket, key="late")  # reads a state that is ahead of some diffs
        Crowded.untrack("t:1", "k1", pid=pids[1])
        Crowded.track("t:1", "k1", {"n": 2}, pid=pids[1])
        await settle()
        truth = {key: [{"n": meta["n"]} if "n" in meta else {"at": "t0"} for meta in entry["metas"]]
                 for key, entry in Crowded.list("t:1").items()}  # fmt: skip
        assert set(truth) == {"k1", "k2", "k3", "k4", "k5", "late"}
        for one in (*watchers, late):
            seen = {key: entry["metas"] for key, entry in (await one.fold()).items()}
            assert seen == truth
        assert len(watchers[0].diffs) < 8  # of 15 changes: while one is on its way, the next ones become one


async def test_topics_have_turns_one_after_the_other(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime() as runtime:
        pubsub = PubSub("turns")
        await pubsub.start_link()
        got: list[tuple[str, int]] = []
        done: list[str] = []

        def listening(topic: str) -> Pid:
            async def listen() -> None:
                pubsub.subscribe(topic)
                while True:
                    got.append((topic, (await receive()).payload))

            return spawn(listen)

        pids = [listening(topic) for topic in ("a", "a", "a", "a", "a", "b", "b", "b", "c")]
        await settle()
        turns = InTurns(runtime, done.append)
        for topic, number in (("a", 1), ("a", 2), ("b", 3), ("c", 4)):
            pubsub.local_broadcast(topic, Broadcast(topic, "event", number), turns)
        assert turns.is_busy("a")
        assert turns.is_busy("b")
        assert not turns.is_busy("c")  # few enough for one turn
        pids[4].exit(KILL)
        await settle()
        assert done == ["b", "a"]
        assert [number for topic, number in got if topic == "a"].count(1) == 4
        assert sorted(got) == sorted([("a", 1)] * 4 + [("a", 2)] * 4 + [("b", 3)] * 3 + [("c", 4)])
        assert not turns.is_busy("a")


async def test_nothing_goes_out_once_the_presence_has_ended(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        supervisor = (await Supervisor.start_link([Crowded])).unwrap()
        socket = socket_of(Crowded)
        watchers = [await member(socket) for _ in range(9)]
        Crowded.track("t:1", "a", pid=spawn(trio.sleep_forever))
        tables = Tables.found("Crowded", supervisor.runtime)
        assert tables is not None
        tables.publisher.end()
        await settle()
        assert [list(await one.fold()) for one in watchers].count(["a"]) == 2
