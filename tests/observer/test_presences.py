"""What a snapshot shows of Presences: who tracks what, and the trackers of other nodes."""

from __future__ import annotations

import pytest
import trio
from cattrs.preconf.orjson import make_converter

from phxactor import Presence, PubSub, Tracker, open_runtime, spawn
from phxactor.observer import Present, Snapshot, Tracked, snapshot, table, tree
from phxactor.testing import assert_presence, cluster


class Here(Presence, pubsub=PubSub("news")):
    """Has no callbacks."""


class Visitors(Tracker):
    """Has no callbacks."""


async def test_it_has_who_is_tracked_where(autojump_clock: trio.abc.Clock) -> None:
    async with open_runtime():
        await Here.start_link()
        await Visitors.start_link()
        one, other = spawn(trio.sleep_forever), spawn(trio.sleep_forever)
        Here.track("t", "ann", pid=one)
        Here.track("u", "ann", pid=one)
        Here.track("t", "b\nob", pid=other)
        here, visitors = snapshot().presences
        assert (here.name, here.processes, here.tracked, here.topics, here.online) == ("Here", 2, 3, 2, 3)
        assert here.replicas == {}
        assert here.who == (
            Tracked(one.number, "t", "ann"),
            Tracked(one.number, "u", "ann"),
            Tracked(other.number, "t", "b\N{REPLACEMENT CHARACTER}ob"),
        )
        assert visitors == Present("Visitors", 0, 0, 0, 0, {}, ())
        assert len(snapshot(rows=2).presences[0].who) == 2
        assert snapshot(rows=2).presences[0].tracked == 3
        converter = make_converter()
        assert converter.loads(converter.dumps(snapshot()), Snapshot) == snapshot()


async def test_it_has_the_trackers_of_other_nodes(autojump_clock: trio.abc.Clock) -> None:
    async with cluster(3, children=lambda: [PubSub("news"), Here], delay=0.01) as nodes:
        a, b, c = nodes

        async def live() -> None:
            Here.track("t", "ann")
            await trio.sleep_forever()

        async def look() -> Snapshot:
            return snapshot()

        async def fail() -> str:
            with pytest.raises(AssertionError) as caught:
                await assert_presence(Here, "t", {"bob": ...})
            return str(caught.value)

        b.spawn(live)
        await trio.sleep(1)
        await c.kill(silent=True)
        await trio.sleep(10)
        (here,) = (await a.run(look)).presences
        assert (here.tracked, here.online, here.who) == (0, 1, ())
        assert here.replicas == {b.name: "up", c.name: "silent"}
        line = f"presence Here · 0 tracked here · 1 on all nodes · 1 topic · {b.name} up · {c.name} silent"
        assert tree(await a.run(look)).splitlines()[-1] == line
        assert table(await a.run(look), width=200).splitlines()[-1] == line
        assert f"the tracker of {c.name} is silent" in await a.run(fail)
