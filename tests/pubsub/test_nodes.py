"""Plain messages between nodes: who gets what, what crosses, and what other nodes are asked for."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from phxactor.cluster import new_node
from phxactor.envelope import Kind, Message, encode
from phxactor.pubsub import Subscriber
from phxactor.runtime import Pid, open_runtime, self_pid
from tests.pubsub.nodes import do, taken
from tests.pubsub.plain_nodes import NEWS, OTHER, circle, deep, news, subscribed, watched


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


circle.append(circle)


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
