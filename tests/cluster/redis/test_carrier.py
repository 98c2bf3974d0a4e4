"""The carrier by Redis, on a Redis without a network: what it carries, and what it refuses."""

from __future__ import annotations

import time

import pytest
import trio
from trio.testing import MockClock

from phxactor import Application, Endpoint
from phxactor.cluster import Cluster, Redis
from phxactor.envelope import Frame, Kind, Message, Seal, encode
from phxactor.runtime import Exit, open_runtime
from tests.cluster.redis.fake_redis import FakeRedis
from tests.cluster.redis.nodes import SCOPE, SECRET, all_see_all, nodes, until

NEWS = encode(Message(Kind.BROADCAST, SCOPE, "news", "said", b'"news"'))
LANE = b"phxactor:t:pubsub:news"


def sealed(number: int = 1, *, channel: bytes = LANE, secret: str | None = SECRET, off: float = 0.0) -> bytes:
    """Return a frame of a sender that is no node."""
    now = int((time.time() + off) * 1000)
    return Seal(secret).seal(channel, Frame(bytes(15) + b"\x09", number, number - 1, now, NEWS))


def carrier(redis: FakeRedis, secret: str | None = SECRET, prefix: str = "phxactor") -> Redis:
    return Redis("redis://127.0.0.1", open_stream=redis.open_stream, secret=secret, prefix=prefix)


async def test_a_message_reaches_the_nodes_that_watch_its_topic_and_no_others(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with nodes(lambda: carrier(redis), "a", "b", "c") as (a, b, c):
        await all_see_all([a, b, c])
        await a.watch("news")
        await b.watch("news")
        for count in range(100):
            a.say("news", b"%d" % count)
        await until(lambda: len(b.came) == 100)
        assert b.came == [b"%d" % count for count in range(100)]
        assert (a.came, c.came) == ([], [])


async def test_a_message_goes_to_one_node_or_to_all(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with nodes(lambda: carrier(redis), "a", "b", "c") as (a, b, c):
        await all_see_all([a, b, c])
        assert a.node.send(b.node.id, Message(Kind.BROADCAST, SCOPE, "news", "said", b"one"))
        a.node.publish_to_all(Message(Kind.BROADCAST, SCOPE, "news", "said", b"all"))
        await until(lambda: c.came)
        assert (a.came, b.came, c.came) == ([], [b"one", b"all"], [b"all"])
        assert not a.node.send(bytes(16), Message(Kind.BROADCAST, SCOPE, "news", "said", b"none"))


async def test_nodes_see_one_another_at_once_and_a_goodbye_at_once(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with nodes(lambda: carrier(redis), "a") as (a,):
        await until(lambda: a.is_ready)
        await trio.sleep(0.5)
        before = trio.current_time()
        async with nodes(lambda: carrier(redis), "b") as (b,):
            await all_see_all([a, b])
            assert trio.current_time() - before < 0.1
            before = trio.current_time()
        await until(lambda: not a.node.nodes())
        assert trio.current_time() - before < 0.1
        assert a.told == ["up b", "down b left"]


async def test_messages_of_one_pass_are_one_write(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    writes: list[int] = []

    async def open_stream() -> trio.abc.Stream:
        stream = await redis.open_stream()
        assert isinstance(stream, trio.StapledStream)
        send_all = stream.send_stream.send_all

        async def count(data: bytes) -> None:
            writes.append(data.count(b"PUBLISH"))
            await send_all(data)

        stream.send_stream.send_all = count
        return stream

    async with nodes(lambda: Redis("redis://h", open_stream=open_stream, secret=SECRET), "a") as (a,):
        await until(lambda: a.is_ready)
        writes.clear()
        for _ in range(50):
            a.say("news", b"1")
        await trio.sleep(0.01)
        assert writes == [50]


async def test_topics_of_one_pass_are_one_command(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with nodes(lambda: carrier(redis), "a") as (a,):
        await until(lambda: a.is_ready)
        (client,) = redis.clients
        client.commands.clear()
        await a.watch("one", "two", "three")
        assert client.commands.count(b"SUBSCRIBE") == 1
        assert len(client.channels) == 2 + 3


async def test_a_topic_that_nobody_watches_any_more_is_unsubscribed(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with nodes(lambda: carrier(redis), "a") as (a,):
        await until(lambda: a.is_ready)
        await a.watch("news")
        (client,) = redis.clients
        assert LANE in client.channels
        a.node.unwatch(SCOPE, "news")
        await trio.sleep(6)
        assert LANE not in client.channels


async def test_forged_old_replayed_and_foreign_messages_are_counted_and_dropped(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with nodes(lambda: carrier(redis), "a", "b") as (a, b):
        await all_see_all([a, b])
        await b.watch("news")
        ours = [payload for channel, payload in redis.published if channel == b"phxactor:all"]
        bad: list[tuple[str, bytes]] = [
            ("length", b""),
            ("version", b"garbage"),
            ("length", b"\x01short"),
            ("forged", sealed(secret="another secret of some length")),
            ("forged", sealed(channel=b"phxactor:t:pubsub:other")),
            ("forged", sealed()[:-1] + b"\x00"),
            ("secret", sealed(secret=None)),
            ("secret", b'{"v":1,"topic":"news","event":"said","payload":{}}'),
            ("old", sealed(off=-301)),
            ("old", sealed(off=+301)),
            ("size", bytes(2 * 1024 * 1024)),
        ]
        for fault, payload in bad:
            before = b.counts().get(fault, 0)
            redis.publish(LANE, payload)
            await trio.sleep(0.01)
            assert b.counts()[fault] == before + 1
        good = sealed(7)
        for payload in (good, good, sealed(6), sealed(8)):
            redis.publish(LANE, payload)
        for payload in ours:
            redis.publish(b"phxactor:all", payload)
        await trio.sleep(1)
        assert len(b.came) == 2
        assert b.counts()["replayed"] >= 2 + 1
        assert b.told == ["up a"]
        assert b.is_ready


async def test_two_programs_with_different_prefixes_or_secrets_do_not_meet(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with (
        nodes(lambda: carrier(redis), "a") as (a,),
        nodes(lambda: carrier(redis, prefix="shop"), "b") as (b,),
        nodes(lambda: carrier(redis, "another secret of some length"), "c") as (c,),
    ):
        await until(lambda: a.is_ready and b.is_ready and c.is_ready)
        for one in (a, b, c):
            await one.watch("news")
        a.say("news", b"1")
        await trio.sleep(2)
        assert [one.told for one in (a, b, c)] == [[], [], []]
        assert [one.came for one in (a, b, c)] == [[], [], []]
        assert b.counts() == {}
        assert c.counts()["forged"] > 0


async def test_without_a_secret_the_json_form_is_taken(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    async with nodes(lambda: carrier(redis, secret=None), "a", "b") as (a, b):
        await all_see_all([a, b])
        await a.watch("news")
        await b.watch("news")
        redis.publish(LANE, b'{"v":1,"topic":"news","event":"said","payload":{"n":1},"scope":"pubsub"}')
        await until(lambda: a.came and b.came)
        assert a.came == b.came == [b'{"n":1}']


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://host", "redis://HOST"),
        ("redis://", "no host"),
        ("redis://host:port", "port"),
        ("redis://host/3", "do not separate"),
        ("redis://host?db=3", "no query"),
        ("redis://alice@host", "no password"),
        (f"redis://{'a' * 70}.test", "no name"),
        ("unix://path", "three slashes"),
        ("unix:///", "three slashes"),
    ],
)
def test_CL35_a_wrong_url_is_named_without_its_credentials(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        Redis(url.replace("://", "://alice:hunter2@") if "alice" not in url else url)
    assert "hunter2" not in str(refused.value)


def test_CL35_no_repr_shows_user_or_password() -> None:
    for url in ("rediss://alice:hunter2@[::1]:1", "unix://alice:hunter2@/tmp/redis", "redis://:hunter2@host"):
        shown = repr(Redis(url, secret=SECRET))
        assert "hunter2" not in shown
        assert "alice" not in shown
        assert SECRET not in shown
    assert repr(Redis("rediss://alice:p%40w@[::1]:1")) == "Redis('rediss://[::1]:1', prefix='phxactor')"


def test_wrong_options_are_refused_when_they_are_given() -> None:
    for options in ({"secret": "short"}, {"prefix": "a:b"}, {"max_waiting_bytes": 0}):
        with pytest.raises(ValueError, match=r"secret|prefix|max_waiting_bytes"):
            Redis("redis://host", **options)


async def test_a_secret_that_cannot_be_derived_is_one_clear_error_where_the_cluster_is_made() -> None:
    with pytest.raises(ValueError, match="secret_key_base"):
        Application(cluster=Redis("redis://host"), endpoints=[Endpoint()])
    with pytest.raises(ValueError, match="secret_key_base"):
        Cluster(Redis("redis://host")).child_spec()
    async with open_runtime():
        with pytest.raises(ValueError, match="secret_key_base"):
            await Cluster(Redis("redis://host")).start_link()
    Application(cluster=Redis("redis://host", secret=None), endpoints=[Endpoint()])


async def test_the_secret_is_that_of_the_endpoints(autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    endpoint = Endpoint(secret_key_base="x" * 64)
    async with nodes(lambda: carrier(redis, "x" * 64), "a") as (a,), open_runtime():
        one = Application(cluster=Redis("redis://h", open_stream=redis.open_stream), endpoints=[endpoint])
        (await one.start_link(server=False)).unwrap()
        await until(a.node.nodes)


async def test_one_object_is_the_carrier_of_one_node_at_a_time(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    redis = FakeRedis()
    one = carrier(redis)
    for _ in range(2):
        async with nodes(lambda: one, "a") as (a,):
            assert a.node.id
    async with nodes(lambda: one, "a"):
        with pytest.raises(Exit, match="uses Redis"):
            async with open_runtime():
                await Cluster(one).start_link()
