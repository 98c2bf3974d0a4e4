"""Plain messages between nodes: who gets what, what crosses, and what other nodes are asked for."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from phxactor import from_thread
from phxactor.cluster import CLUSTER, LocalNode, new_node
from phxactor.envelope import Kind, Message, encode
from phxactor.otp import Supervisor
from phxactor.pubsub import PubSub, Subscriber, _crossing
from phxactor.pubsub._server import find
from phxactor.runtime import KILL, Pid, open_runtime, self_pid
from phxactor.testing import Nodes, SimulatedNode, cluster, settle
from tests.pubsub.nodes import do, subscribe, taken

NEWS = PubSub("news")
OTHER = PubSub("other")


def news(count: int, delay: float = 0.0) -> AbstractAsyncContextManager[Nodes]:
    """Open a cluster whose nodes run both PubSubs."""
    return cluster(count, children=lambda: [NEWS, OTHER], delay=delay)


async def subscribed(*among: SimulatedNode, topic: str = "t", pubsub: PubSub = NEWS) -> None:
    await subscribe(pubsub, topic, *among)


def watched(node: SimulatedNode) -> list[tuple[str, list[str]]]:
    """Return a list that gets what the carrier of a node is asked for from now on."""
    calls: list[tuple[str, list[str]]] = []
    (carrier,) = node.carriers
    for name in ("watch", "unwatch"):
        function = getattr(carrier, name)

        def call(lanes: Sequence[str], name: str = name, function: Callable[[Sequence[str]], None] = function) -> None:
            calls.append((name, list(lanes)))
            function(lanes)

        setattr(carrier, name, call)
    return calls


async def test_CL1_a_broadcast_reaches_the_subscribers_of_all_nodes(autojump_clock: MockClock) -> None:
    async with news(3) as (a, b, c):
        await subscribed(a, b)
        await subscribed(c, topic="another")
        await do(a, NEWS.broadcast, "t", "rain")
        assert taken(a, b, c) == [["rain"], ["rain"], []]
        await do(c, NEWS.broadcast, "t", "sun")
        assert taken(a, b, c) == [["sun"], ["sun"], []]


async def test_CL1_broadcast_from_leaves_out_a_process_of_its_node_only(autojump_clock: MockClock) -> None:
    async with news(2) as (a, b):
        await subscribed(a, b)
        await do(a, NEWS.broadcast_from, a.runtime.main, "t", 1)
        assert taken(a, b) == [[], [1]]


async def test_CL1_a_local_broadcast_stays_on_its_node(autojump_clock: MockClock) -> None:
    async with news(2) as (a, b):
        await subscribed(a, b)
        await do(a, NEWS.local_broadcast, "t", (1, object))  # any object
        await do(a, NEWS.local_broadcast_from, a.spawn(trio.sleep_forever), "t", 2)
        await do(a, NEWS.local_broadcast_from, a.runtime.main, "t", 3)
        assert taken(a, b) == [[(1, object), 2], []]


async def test_CL1_a_direct_broadcast_reaches_one_node(autojump_clock: MockClock) -> None:
    async with news(3) as (a, b, c):
        await subscribed(a, b, c)
        assert await do(a, NEWS.direct_broadcast, b.identity, "t", 1)
        assert taken(a, b, c) == [[], [1], []]
        assert await do(a, NEWS.direct_broadcast, a.identity, "t", (2,))  # as a local one: any object
        assert taken(a, b, c) == [[(2,)], [], []]
        assert not await do(a, NEWS.direct_broadcast, new_node("gone"), "t", 3)
        with pytest.raises(TypeError, match=r"give a Node, such as one of phxactor.cluster.nodes\(\), not 'b'"):
            await do(a, NEWS.direct_broadcast, "b", "t", 4)
        with pytest.raises(TypeError, match="does not cross"):
            await do(a, NEWS.direct_broadcast, b.identity, "t", 4, lambda *_: None)
        with pytest.raises(TypeError, match="of the type set"):
            await do(a, NEWS.direct_broadcast, b.identity, "t", {5})
        assert taken(a, b, c) == [[], [], []]


async def test_without_a_cluster_there_is_no_other_node(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await NEWS.start_link()
        NEWS.subscribe("t")
        assert not NEWS.direct_broadcast(new_node("gone"), "t", 1)
        NEWS.broadcast("t", (object, 2))  # any object
        await NEWS.confirmed("t")
        await NEWS.hold("t")
        assert list(self_pid().mailbox) == [(object, 2)]
        assert NEWS.statistics().sent == 0


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.lists(JSON, min_size=1, max_size=5))
@settings(deadline=None, max_examples=30)
def test_CL7_a_message_arrives_as_what_it_was(messages: list[object]) -> None:
    async def play() -> None:
        async with news(2) as (a, b):
            await subscribed(b)
            for one in messages:
                await do(a, NEWS.broadcast, "t", one)
            # `repr` tells 1 from True and 1.0, and 0.0 from -0.0
            assert [repr(one) for one in taken(b)[0]] == [repr(one) for one in messages]

    trio.run(play, clock=MockClock(autojump_threshold=0))


class Number(enum.IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()


@attrs.frozen
class Rain:
    mm: int


circle: list[object] = []
circle.append(circle)
deep: object = 1
for _ in range(5000):
    deep = [deep]


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ((1, 2), "message is of the type tuple"),
        ({"a": [1, (2,)]}, r"message\['a'\]\[1\] is of the type tuple"),
        ({1: 2}, "message has a key of the type int"),
        ({"a": {None: 2}}, r"message\['a'\] has a key of the type NoneType"),
        ([float("nan")], r"message\[0\] is nan"),
        (float("-inf"), "message is -inf"),
        (2**64, "64-bit"),
        (b"bytes", "message is of the type bytes"),
        (Rain(5), "message is of the type Rain"),
        ([Number.ONE], r"message\[0\] is of the type Number"),
        (Text("x"), "message is of the type Text"),
        (uuid.UUID(int=1), "message is of the type UUID"),
        (datetime(2026, 1, 1, tzinfo=UTC), "message is of the type datetime"),
        ({1, 2}, "message is of the type set"),
        ("\ud800", "surrogates"),
        (circle, "Recursion"),
        (deep, "Recursion"),
    ],
)
async def test_CL7_what_cannot_cross_raises_after_the_subscribers_here_have_it(
    message: object, why: str, autojump_clock: MockClock
) -> None:
    async with news(2) as (a, b):
        await subscribed(a, b)
        with pytest.raises(TypeError, match=why) as raised:
            await do(a, NEWS.broadcast, "t", message)
        assert "local_broadcast" in str(raised.value)
        ((same,),) = taken(a)
        assert same is message
        with pytest.raises(TypeError, match=why):
            await do(a, NEWS.broadcast_from, a.runtime.main, "t", message)
        assert taken(a) == [[]]
        await do(a, NEWS.broadcast, "t", "after")
        assert taken(b) == [["after"]]
        assert (await do(a, NEWS.statistics)).sent == 1


async def test_a_list_that_is_shared_many_times_is_looked_at_once(autojump_clock: MockClock) -> None:
    shared: list[object] = ["x"]
    message = [shared] * 1000
    async with news(2) as (a, b):
        await subscribed(b)
        await do(a, NEWS.broadcast, "t", message)
        assert taken(b) == [[message]]


async def test_a_message_that_is_too_large_raises_after_the_subscribers_here_have_it(autojump_clock: MockClock) -> None:
    async with news(2) as (a, b):
        await subscribed(a, b)
        largest = "x" * (a.local.max_message_bytes - len(encode(Message(Kind.DATA, "news", "t", "", b'""'))))
        await do(a, NEWS.broadcast, "t", largest)
        assert taken(a, b) == [[largest], [largest]]
        with pytest.raises(ValueError, match=r"'t' is too large for other nodes.*max_message_bytes"):
            await do(a, NEWS.broadcast, "t", largest + "x")
        assert taken(a, b) == [[largest + "x"], []]


async def test_a_topic_that_no_envelope_holds_stays_on_its_node(autojump_clock: MockClock) -> None:
    async with news(2) as (a, b):
        calls = watched(a)
        for topic, wrong in (("\ud800", "surrogate"), ("ä" * 40_000, "too large")):
            await subscribed(a, b, topic=topic)
            await a.run(NEWS.confirmed, topic)
            with pytest.raises(ValueError, match=wrong):
                await do(a, NEWS.broadcast, topic, 1)
            assert taken(a, b) == [[1], []]
            await do(a, partial(NEWS.unsubscribe, topic, pid=a.runtime.main))
        assert calls == []
        await subscribed(b, topic="ä" * 32_767)
        await do(a, NEWS.broadcast, "ä" * 32_767, 2)
        assert taken(b) == [[2]]


async def test_another_dispatcher_stays_on_its_node(autojump_clock: MockClock) -> None:
    class Handed(list[object]):
        """A dispatcher that cannot be hashed."""

        def __call__(self, subscribers: Iterable[Subscriber], left_out: Pid | None, message: object) -> None:
            self.append((len(list(subscribers)), left_out, message))

    handed = Handed()
    async with news(2) as (a, b):
        await subscribed(a, b)
        await do(a, NEWS.broadcast, "t", {1}, handed)
        await do(a, NEWS.broadcast_from, a.runtime.main, "t", {2}, handed)
        assert handed == [(1, None, {1}), (1, a.runtime.main, {2})]
        assert taken(a, b) == [[], []]


async def test_two_pubsubs_with_the_same_topics_are_two_worlds(autojump_clock: MockClock) -> None:
    async with news(2) as (a, b):
        await subscribed(b)
        await do(a, OTHER.broadcast, "t", "other")
        await do(a, NEWS.broadcast, "t", "news")
        assert taken(b) == [["news"]]
        await subscribed(b, pubsub=OTHER)
        await do(a, OTHER.broadcast, "t", "other")
        assert taken(b) == [["other"]]


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
