"""PubSub: who is told what, and that nothing stays behind of those who have ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from phxactor.otp import Supervisor, call
from phxactor.pubsub import PubSub, PubSubStatistics, Subscriber
from phxactor.runtime import KILL, NotAProcessError, Pid, monitor, open_runtime, receive, self_pid, spawn
from phxactor.testing import settle

EMPTY = PubSubStatistics(topics=0, subscriptions=0, subscribers=0)


async def idle() -> None:
    await trio.sleep_forever()


def waiting(pid: Pid) -> list[object]:
    """Take all that waits for a process that never reads."""
    messages = list(pid.mailbox)
    pid.mailbox.clear()
    return messages


async def test_a_broadcast_reaches_who_is_subscribed_to_its_topic(autojump_clock: MockClock) -> None:
    pubsub = PubSub()
    async with open_runtime():
        one, two, three = spawn(idle), spawn(idle), spawn(idle)
        pubsub.subscribe("a", pid=one)
        pubsub.subscribe("a", pid=two)
        pubsub.subscribe("b", pid=two)
        pubsub.subscribe("b", pid=three)
        pubsub.broadcast("a", 1)
        pubsub.local_broadcast("b", 2)
        pubsub.broadcast_from(two, "b", 3)
        pubsub.broadcast("nobody's", 4)
        assert [waiting(pid) for pid in (one, two, three)] == [[1], [1, 2], [2, 3]]
        assert pubsub.statistics() == PubSubStatistics(topics=2, subscriptions=4, subscribers=3)
        assert [subscriber.pid for subscriber in pubsub.subscribers("a")] == [one, two]
    assert pubsub.statistics() == EMPTY


async def test_who_subscribes_twice_hears_twice_and_unsubscribes_once(autojump_clock: MockClock) -> None:
    pubsub = PubSub()
    async with open_runtime():
        me = self_pid()
        pubsub.subscribe("a")
        pubsub.subscribe("a", "metadata")
        pubsub.subscribe("b")
        pubsub.broadcast("a", 1)
        assert waiting(me) == [1, 1]
        assert [one.metadata for one in pubsub.subscribers("a")] == [None, "metadata"]
        pubsub.unsubscribe("a")
        pubsub.unsubscribe("a")
        pubsub.unsubscribe("never")
        pubsub.broadcast("a", 2)
        pubsub.broadcast("b", 3)
        assert waiting(me) == [3]
        assert pubsub.statistics() == PubSubStatistics(topics=1, subscriptions=1, subscribers=1)


async def test_subscriptions_are_gone_before_anybody_hears_of_the_end(autojump_clock: MockClock) -> None:
    pubsub = PubSub()
    async with open_runtime():
        pid = spawn(idle)
        for topic in ("a", "b", "b"):
            pubsub.subscribe(topic, pid=pid)
        monitor(pid)
        pid.exit(KILL)
        await receive()
        assert pubsub.statistics() == EMPTY


async def test_a_subscription_of_the_dead_is_none(autojump_clock: MockClock) -> None:
    pubsub = PubSub()
    async with open_runtime():
        pid = spawn(idle)
        monitor(pid)
        pid.exit(KILL)
        await receive()
        pubsub.subscribe("a", pid=pid)
        assert pubsub.statistics() == EMPTY


def test_outside_of_a_process_nobody_can_be_subscribed() -> None:
    with pytest.raises(NotAProcessError):
        PubSub().subscribe("a")


async def test_a_dispatcher_sees_subscribers_and_who_is_left_out(autojump_clock: MockClock) -> None:
    pubsub, seen = PubSub(), []

    def dispatcher(subscribers: Iterable[Subscriber], left_out: Pid | None, message: object) -> None:
        seen.append(([one.metadata for one in subscribers], left_out, message))
        pubsub.unsubscribe("a")  # changing the table meanwhile is allowed

    async with open_runtime():
        me = self_pid()
        pubsub.subscribe("a", 1)
        pubsub.subscribe("a", 2)
        pubsub.broadcast("a", "x", dispatcher)
        pubsub.subscribe("a", 3)
        pubsub.broadcast_from(me, "a", "y", dispatcher)
        pubsub.broadcast("a", "nobody is asked", dispatcher)
    assert seen == [([1, 2], None, "x"), ([3], me, "y")]


async def test_its_process_begins_with_empty_tables(autojump_clock: MockClock) -> None:
    pubsub = PubSub("news")
    assert repr(pubsub) == "<PubSub news>"
    async with open_runtime() as runtime:
        (await Supervisor.start_link([pubsub.child_spec()], name="supervisor")).unwrap()
        pubsub.subscribe("a")
        server = next(pid for pid in runtime.processes.values() if pid.initial_call == "PubSubServer.init")
        assert await call(server, "statistics") == PubSubStatistics(topics=1, subscriptions=1, subscribers=1)
        server.exit(KILL)
        await settle()
        assert pubsub.statistics() == EMPTY
        pubsub.subscribe("a")
        pubsub.broadcast("a", 1)
        assert 1 in waiting(self_pid())


pids = st.integers(0, 3)
topics = st.sampled_from("abc")
operations = st.lists(
    st.one_of(
        st.tuples(st.just("subscribe"), pids, topics),
        st.tuples(st.just("unsubscribe"), pids, topics),
        st.tuples(st.just("broadcast"), pids, topics),
        st.tuples(st.just("broadcast_from"), pids, topics),
        st.tuples(st.just("end"), pids, topics),
    ),
    max_size=40,
)


@given(operations)
@settings(deadline=None)
def test_against_a_model(chosen: list[tuple[str, int, str]]) -> None:
    trio.run(play, chosen, clock=MockClock(autojump_threshold=0))


async def play(chosen: list[tuple[str, int, str]]) -> None:
    pubsub = PubSub()
    model: Counter[tuple[int, str]] = Counter()
    async with open_runtime():
        pids = [spawn(idle) for _ in range(4)]
        await settle()
        for number, (what, who, topic) in enumerate(chosen):
            pid = pids[who]
            match what:
                case "subscribe":
                    pubsub.subscribe(topic, pid=pid)
                    model[who, topic] += 1
                case "unsubscribe":
                    pubsub.unsubscribe(topic, pid=pid)
                    del model[who, topic]
                case "end":
                    pid.exit(KILL)
                    await settle()
                    pids[who] = spawn(idle)
                    await settle()
                    for each in "abc":
                        del model[who, each]
                case _:
                    if what == "broadcast":
                        pubsub.broadcast(topic, number)
                    else:
                        pubsub.broadcast_from(pid, topic, number)
                    for other, its in enumerate(pids):
                        left_out = what == "broadcast_from" and other == who
                        assert waiting(its) == ([] if left_out else [number] * model[other, topic])
        assert pubsub.statistics().subscriptions == model.total()
    assert pubsub.statistics() == EMPTY
