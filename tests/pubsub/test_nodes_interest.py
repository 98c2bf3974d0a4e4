"""What other nodes are asked for: topics while they have subscribers, are held or come from threads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from phxactor import from_thread
from phxactor.cluster import CLUSTER, LocalNode
from phxactor.envelope import Kind, Message
from phxactor.otp import Supervisor
from phxactor.pubsub import PubSub, _crossing
from phxactor.pubsub._server import find
from phxactor.runtime import KILL
from phxactor.testing import cluster, settle
from tests.pubsub.nodes import do, taken
from tests.pubsub.plain_nodes import NEWS, circle, deep, news, subscribed, watched

circle.append(circle)


for _ in range(5000):
    deep = [deep]


async def test_other_nodes_are_asked_for_a_topic_while_it_has_subscribers_and_for_a_grace(
    autojump_clock: MockClock,
) -> None:
    async with news(2) as (a, b):
        calls = watched(b)
        await subscribed(b)
        await subscribed(b)  # twice
        assert calls == [("watch", ["news:t"])]
        await do(b, partial(NEWS.unsubscribe, "t", pid=b.runtime.main))
        await do(a, NEWS.broadcast, "t", "nobody is here")
        await trio.sleep(4)
        await subscribed(b)  # within the grace
        await do(a, NEWS.broadcast, "t", 1)
        assert taken(b) == [[1]]
        assert calls == [("watch", ["news:t"])]
        await do(b, partial(NEWS.unsubscribe, "t", pid=b.runtime.main))
        await trio.sleep(6)
        assert calls == [("watch", ["news:t"]), ("unwatch", ["news:t"])]
        assert (await do(b, NEWS.statistics)).received == 1


async def test_the_end_of_a_subscriber_ends_its_interest(autojump_clock: MockClock) -> None:
    async with news(2) as (_, b):
        calls = watched(b)
        pid = b.spawn(trio.sleep_forever)
        await do(b, partial(NEWS.subscribe, "t", pid=pid))
        await settle()
        pid.exit(KILL)
        await trio.sleep(6)
        assert calls == [("watch", ["news:t"]), ("unwatch", ["news:t"])]
        await do(b, partial(NEWS.subscribe, "t", pid=pid))  # it is dead
        await trio.sleep(6)
        assert await do(b, NEWS.topics) == []
        assert b.local.lanes() == []


async def test_each_new_topic_is_asked_for_once(autojump_clock: MockClock) -> None:
    async with news(1) as (a,):
        calls = watched(a)

        def subscribe_to_all() -> None:
            for topic in "xyx":
                NEWS.subscribe(topic)

        await do(a, subscribe_to_all)
        await settle()
        assert calls == [("watch", ["news:x"]), ("watch", ["news:y"])]


async def test_a_restart_of_the_pubsub_keeps_the_interest_right(autojump_clock: MockClock) -> None:
    async with news(2) as (a, b):
        for topic in ("lost", "kept"):
            await do(b, partial(NEWS.subscribe, topic, pid=b.spawn(trio.sleep_forever)))
        server = b.runtime.names.whereis("news")
        assert server is not None
        server.exit(KILL)
        await settle()
        await subscribed(b, topic="kept")
        await do(a, NEWS.broadcast, "kept", 1)
        assert taken(b)[0][-1] == 1
        await trio.sleep(6)
        assert b.local.lanes() == ["news:kept"]
        await do(a, NEWS.broadcast, "kept", 2)
        await do(a, NEWS.broadcast, "lost", 3)
        assert taken(b) == [[2]]


async def test_a_restart_of_the_cluster_restarts_the_pubsub(autojump_clock: MockClock) -> None:
    async with news(2) as (a, b):
        subscriber = b.spawn(trio.sleep_forever)
        await do(b, partial(NEWS.subscribe, "t", pid=subscriber))
        supervisor, server = (b.runtime.names.whereis(name) for name in (CLUSTER, "news"))
        assert supervisor is not None
        assert server is not None
        supervisor.exit(KILL)
        await settle()
        assert not server.alive
        assert not subscriber.alive  # it has missed what came meanwhile
        await trio.sleep(5)
        await subscribed(b)
        await do(a, NEWS.broadcast, "t", 1)
        assert taken(b)[0][-1] == 1


async def test_the_end_of_the_cluster_ends_a_pubsub_that_no_strategy_restarts(autojump_clock: MockClock) -> None:
    async with cluster(2) as (a, _):

        async def own() -> None:
            await Supervisor.start_link([NEWS])
            await trio.sleep_forever()

        owner = a.spawn(own)
        await settle()
        assert a.runtime.names.whereis("news") is not None
        before, supervisor = a.runtime.names.whereis("news"), a.runtime.names.whereis(CLUSTER)
        assert before is not None
        assert supervisor is not None
        supervisor.exit(KILL)
        await trio.sleep(1)
        assert owner.alive
        assert not before.alive
        tables = await do(a, find, "news", a.runtime)
        assert tables is not None
        assert tables.node is LocalNode.found(a.runtime)  # the new one


@pytest.mark.parametrize(("delay", "waits"), [(0.0, 0.0), (0.125, 0.25), (3.0, 1.0)])
async def test_CL15_confirmed_waits_for_other_nodes_a_second_at_most(
    delay: float, waits: float, autojump_clock: MockClock
) -> None:
    async with news(2, delay=delay) as (a, _):
        await trio.sleep(20)

        async def confirm() -> float:
            began = trio.current_time()
            await NEWS.confirmed("t")
            return trio.current_time() - began

        assert await a.run(confirm) == 0.0  # it is not watched
        await a.run(checkpoint_after, partial(NEWS.subscribe, "t", pid=a.runtime.main))
        assert await a.run(confirm) == pytest.approx(waits)
        await trio.sleep(20)
        assert await a.run(confirm) == 0.0


async def checkpoint_after(function: Callable[[], object]) -> None:
    function()


async def test_a_process_that_holds_a_topic_has_other_nodes_bring_it(autojump_clock: MockClock) -> None:
    async with news(2) as (a, b):

        async def body() -> None:
            await NEWS.hold("t")
            await NEWS.hold("u")
            await trio.sleep_forever()

        pid = b.spawn(body)
        await settle()
        assert sorted(b.local.lanes()) == ["news:t", "news:u"]
        assert (await do(b, NEWS.statistics)).subscribers == 0
        await do(a, NEWS.broadcast, "t", 1)
        assert list(pid.mailbox) == []
        pid.exit(KILL)
        await trio.sleep(6)
        assert b.local.lanes() == []


async def test_a_subscription_takes_the_place_of_a_hold(autojump_clock: MockClock) -> None:
    async with news(1) as (a,):

        async def body() -> None:
            await NEWS.hold("t")
            await NEWS.hold("u")
            NEWS.subscribe("t")
            NEWS.release("t")
            NEWS.unsubscribe("t")
            await trio.sleep(6)
            assert a.local.lanes() == ["news:u"]
            NEWS.subscribe("u")
            NEWS.subscribe("u")
            await trio.sleep_forever()

        pid = a.spawn(body)
        await trio.sleep(7)
        assert a.local.lanes() == ["news:u"]
        pid.exit(KILL)
        await trio.sleep(6)
        assert a.local.lanes() == []
        assert (await do(a, NEWS.statistics)).subscribers == 0


async def test_a_hold_can_be_released(autojump_clock: MockClock) -> None:
    async with news(1) as (a,):

        async def body() -> None:
            for topic in "ttu":
                await NEWS.hold(topic)
            for topic in "tuux":
                NEWS.release(topic)
            await trio.sleep(6)
            assert a.local.lanes() == ["news:t"]
            NEWS.subscribe("t")
            NEWS.release("t")
            await trio.sleep(6)
            assert a.local.lanes() == ["news:t"]
            NEWS.unsubscribe("t")
            await trio.sleep(6)
            assert a.local.lanes() == []

        await a.run(body)


async def test_a_thread_broadcasts_to_other_nodes(autojump_clock: MockClock) -> None:
    async with news(2) as (a, b):
        await subscribed(b)

        async def tell(message: object) -> None:
            await trio.to_thread.run_sync(from_thread.broadcast, NEWS, "t", message)

        await a.run(tell, 1)
        with pytest.raises(TypeError, match="cannot cross"):
            await a.run(tell, (2,))
        assert taken(b) == [[1]]


async def test_what_is_no_json_is_counted_and_dropped(autojump_clock: MockClock) -> None:
    async with news(2) as (a, b):
        await subscribed(b)
        for payload in (b"", b"{", b"\xff", b"NaN", b'"\xed\xa0\x80"'):
            assert a.local.send(b.local.id, Message(Kind.DATA, "news", "t", "", payload))
        for scope in ("nobody", "cluster", "main", ""):
            a.local.send(b.local.id, Message(Kind.DATA, scope, "t", "", b"1"))
        await settle()
        assert taken(b) == [[]]
        assert b.local.statistics().carriers["simulated"].refused == {"json": 5}
        await do(a, NEWS.broadcast, "t", 1)
        assert taken(b) == [[1]]


async def test_a_program_without_channels_ignores_what_is_for_them(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for kind in (Kind.BROADCAST, Kind.BINARY):  # as if nothing had imported the room socket
        monkeypatch.delitem(getattr(_crossing, "_BY_KIND"), kind)  # noqa: B009
    async with news(2) as (a, b):
        await subscribed(b)
        caplog.clear()
        a.local.publish(Message(Kind.BROADCAST, "news", "t", "said", b"{}"))
        await settle()
        assert taken(b) == [[]]
        assert caplog.records == []


def test_the_name_of_a_pubsub_fits_into_a_message() -> None:
    assert PubSub("x" * 255).name
    for name in ("x" * 256, "ä" * 128):
        with pytest.raises(ValueError, match="at most 255 bytes"):
            PubSub(name)
