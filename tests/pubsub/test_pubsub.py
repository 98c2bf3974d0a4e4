"""PubSub: who is told what, and that nothing stays behind of those who have ended."""

from __future__ import annotations

import contextvars
from collections import Counter
from collections.abc import Callable, Iterable

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from phxactor.otp import Error, Supervisor, call
from phxactor.pubsub import PubSub, PubSubStatistics, Subscriber
from phxactor.runtime import (
    KILL,
    KILLED,
    SHUTDOWN,
    Exited,
    NoProcessError,
    NotAProcessError,
    Pid,
    Reason,
    monitor,
    open_runtime,
    receive,
    register,
    self_pid,
    spawn,
    trap_exit,
)
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
        await pubsub.start_link()
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


async def test_who_subscribes_twice_hears_twice_and_unsubscribes_once(autojump_clock: MockClock) -> None:
    pubsub = PubSub()
    async with open_runtime():
        await pubsub.start_link()
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
        await pubsub.start_link()
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
        await pubsub.start_link()
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
        await pubsub.start_link()
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
        (await Supervisor.start_link([pubsub], name="supervisor")).unwrap()
        pubsub.subscribe("a", pid=spawn(idle))
        assert await call("news", "statistics") == PubSubStatistics(topics=1, subscriptions=1, subscribers=1)
        server = runtime.names.whereis("news")
        assert server is not None
        server.exit(KILL)
        await settle()
        assert pubsub.statistics() == EMPTY
        pubsub.subscribe("a")
        pubsub.broadcast("a", 1)
        assert 1 in waiting(self_pid())


@pytest.mark.parametrize("reason", [KILL, "crashed", SHUTDOWN])
async def test_subscribers_get_its_exit_signal(reason: Reason, autojump_clock: MockClock) -> None:
    pubsub = PubSub()
    ends = KILLED if reason == KILL else reason
    async with open_runtime():
        trap_exit()
        server = (await pubsub.start_link()).unwrap()
        subscriber, unsubscribed, bystander = spawn(idle), spawn(idle), spawn(idle)
        pubsub.subscribe("a")
        for pid in (subscriber, unsubscribed):
            pubsub.subscribe("a", pid=pid)
            pubsub.subscribe("b", pid=pid)
        for topic in ("a", "b"):
            pubsub.unsubscribe(topic, pid=unsubscribed)
        server.exit(reason)
        await settle()
        assert (subscriber.alive, subscriber.exit_reason) == (False, ends)
        assert unsubscribed.alive
        assert bystander.alive
        assert waiting(self_pid()) == [Exited(server, ends)] * 2  # of the link, and as a subscriber


async def test_what_does_not_run_says_so(autojump_clock: MockClock) -> None:
    pubsub = PubSub("news")
    asked: list[Callable[[], object]] = [
        lambda: pubsub.subscribe("a"),
        lambda: pubsub.unsubscribe("a"),
        lambda: pubsub.broadcast("a", 1),
        lambda: pubsub.broadcast_from(self_pid(), "a", 1),
        pubsub.topics,
        lambda: pubsub.subscribers("a"),
        pubsub.statistics,
    ]
    async with open_runtime():
        register("news", spawn(idle))  # a process of this name is no PubSub
        assert not pubsub.runs()
        for ask in asked:
            with pytest.raises(NoProcessError, match="'news' does not run"):
                ask()
        assert isinstance(await pubsub.start_link(), Error)
    with pytest.raises(ValueError, match="cannot be a name"):
        PubSub("")
    with pytest.raises(TypeError, match="a name must be a str"):
        PubSub(1)  # type: ignore[arg-type]


async def test_a_second_start_leaves_what_runs_alone(autojump_clock: MockClock) -> None:
    async with open_runtime():
        trap_exit()
        server = (await PubSub("news").start_link()).unwrap()
        PubSub("news").subscribe("a")
        assert await PubSub("news").start_link() == Error(("already_started", server))
        waiting(self_pid())
        PubSub("news").broadcast("a", 1)  # the name is all that there is to it
        assert waiting(self_pid()) == [1]


async def test_each_runtime_has_its_own(autojump_clock: MockClock) -> None:
    pubsub = PubSub("news")
    async with open_runtime() as first:
        await pubsub.start_link()
        pubsub.subscribe("a")
        outside = contextvars.Context()
        outside.run(pubsub.broadcast, "a", 1)  # where no process is, there is just one runtime
        assert waiting(first.main) == [1]
        async with open_runtime():
            assert not pubsub.runs()
            await pubsub.start_link()
            assert pubsub.topics() == []
            with pytest.raises(NotAProcessError, match="2 runtimes are open here"):
                outside.run(pubsub.broadcast, "a", 2)
        assert pubsub.topics() == ["a"]
    with pytest.raises(NotAProcessError, match="no runtime is open here"):
        pubsub.broadcast("a", 3)


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
        await pubsub.start_link()
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
