"""Presence over Redis: Redis goes away, with a fake one in virtual time; a machine dies, with a real one."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from phxactor import KILL, Pid, Presence, PubSub, open_runtime, self_pid, spawn
from phxactor.cluster import Cluster, LocalNode, Redis
from phxactor.runtime import Runtime
from tests.cluster.redis.fake_redis import FakeRedis
from tests.cluster.redis.nodes import SECRET, until
from tests.cluster.redis.server import server
from tests.demos.program import serving
from tests.libraries.servers import REDIS
from tests.presence.test_workers import PROGRAM, Member, all_see, live


class Here(Presence, pubsub=PubSub("news")):
    """Has no callbacks."""


class Node:
    """A runtime that is a node, and whom it tracks."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.people: dict[str, Pid] = {}

    def sees_others(self) -> bool:
        """Say whether it is connected, and the other node is up."""
        node = LocalNode.found(self.runtime)
        return node is not None and node.health().state == "ready" and len(node.nodes()) == 1

    def keys(self) -> set[str]:
        """Return who is present, as this node sees it."""
        found = Here._tables(self.runtime).set.online.topics.get("t")  # noqa: SLF001 - read from outside the runtime
        return set() if found is None else set(found.keys)


async def _live(redis: FakeRedis, name: str, keys: set[str], nodes: trio.MemorySendChannel[Node]) -> None:
    carrier = Redis("redis://127.0.0.1", open_stream=redis.open_stream, secret=SECRET)
    async with open_runtime():
        (await Cluster(carrier, name=name).start_link()).unwrap()
        await PubSub("news").start_link()
        await Here.start_link()
        node = Node(self_pid().runtime)
        await nodes.send(node)
        while True:
            for key in keys - node.people.keys():
                pid = node.people[key] = spawn(trio.sleep_forever)
                Here.track("t", key, pid=pid)
            for key in node.people.keys() - keys:
                self_pid().runtime.exit(node.people.pop(key), KILL)
            await trio.sleep(0.01)


@asynccontextmanager
async def two_nodes(
    redis: FakeRedis, a: set[str], b: set[str], names: tuple[str, str] = ("a", "b")
) -> AsyncIterator[list[Node]]:
    """Start nodes whose people are the given keys, also when these change later."""
    send, come = trio.open_memory_channel[Node](0)
    async with trio.open_nursery() as nursery:
        found = []
        for name, keys in zip(names, (a, b), strict=True):
            nursery.start_soon(_live, redis, name, keys, send)
            found.append(await come.receive())
        yield found
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("way", ["stopped", "stands still"])
async def test_PR120_PR123_lists_are_equal_as_soon_as_nodes_are_back_after_redis(
    way: str, autojump_clock: MockClock
) -> None:
    redis = FakeRedis()
    a, b = {"ann", "leaves"}, {"bob"}
    async with two_nodes(redis, a, b) as nodes:
        await until(lambda: all(node.keys() == a | b for node in nodes))
        redis.stop() if way == "stopped" else redis.mute()
        await trio.sleep(1)
        a.remove("leaves")
        a.add("comes")
        b.add("comes too")
        await trio.sleep(3)
        assert nodes[0].keys() == a | {"bob"}
        assert nodes[1].keys() == b | {"ann", "leaves"}
        await trio.sleep(6)
        assert [node.keys() for node in nodes] == [a, b]
        redis.is_down = False
        if way == "stands still":
            redis.unmute()
        back = trio.current_time()
        await until(lambda: all(node.keys() == a | b for node in nodes))
        assert trio.current_time() - back < 2


@pytest.mark.parametrize("seconds", [0.2, 1, 3])
async def test_PR120_PR123_a_short_outage_of_redis_loses_nothing(seconds: float, autojump_clock: MockClock) -> None:
    redis = FakeRedis()
    a, b = {"ann", "leaves"}, {"bob"}
    async with two_nodes(redis, a, b) as nodes:
        await until(lambda: all(node.keys() == a | b for node in nodes))
        redis.stop()
        a.remove("leaves")
        b.add("comes")
        await trio.sleep(seconds)
        assert nodes[0].keys() == {"ann", "bob"}
        redis.is_down = False
        back = trio.current_time()
        await until(lambda: all(node.keys() == a | b for node in nodes))
        assert trio.current_time() - back < 2


async def test_PR102_PR103_two_nodes_of_one_name_are_told_apart(autojump_clock: MockClock) -> None:
    a, b = {"ann", "leaves"}, {"bob"}
    async with two_nodes(FakeRedis(), a, b, names=("same", "same")) as nodes:
        await until(lambda: all(node.keys() == a | b for node in nodes))
        a.remove("leaves")
        await until(lambda: all(node.keys() == a | b for node in nodes))
        await trio.sleep(100)
        assert all(node.keys() == a | b for node in nodes)


@pytest.mark.parametrize("after", [0.0, 0.3, 0.9, 1.7])
async def test_PR106_PR112_the_people_of_a_silent_machine_are_gone_within_six_seconds(
    after: float, autojump_clock: MockClock
) -> None:
    redis = FakeRedis()
    async with two_nodes(redis, {"ann", "amy"}, {"bob"}) as nodes:
        await until(lambda: all(node.keys() == {"amy", "ann", "bob"} for node in nodes))
        await trio.sleep(after)
        for client in redis.clients[: len(redis.clients) // 2]:  # those of the node that came first
            client.is_half_open = True
        began = trio.current_time()
        await until(lambda: nodes[1].keys() == {"bob"})
        assert 4 <= trio.current_time() - began < 5.5


@pytest.mark.redis
@pytest.mark.socket
@pytest.mark.slow
@pytest.mark.skipif(REDIS is None, reason="there is no redis-server: as root on Debian `make test` installs it")
async def test_PR106_PR112_a_killed_machine_takes_its_people_with_it(tmp_path: Path) -> None:
    secret = f'port=0,\n    secret_key_base="{SECRET}",'
    (tmp_path / "here.py").write_text(PROGRAM.replace("port=0,", secret))
    with server() as redis:
        await trio.to_thread.run_sync(redis.start)
        command = ("serve", "here:application", "--redis", redis.url)
        with serving(*command, cwd=tmp_path) as one, serving(*command, cwd=tmp_path) as other:
            async with AsyncExitStack() as stack:
                nursery = await stack.enter_async_context(trio.open_nursery())
                people: list[Member] = [
                    await nursery.start(live, f"ws://127.0.0.1:{program.port}", key)
                    for program, key in ((one, "ann"), (one, "amy"), (other, "bob"), (other, "bo"))
                ]
                await all_see(people, ["amy", "ann", "bo", "bob"])
                os.kill(one.process.pid, signal.SIGKILL)
                await all_see(people[2:], ["bo", "bob"])
                nursery.cancel_scope.cancel()
