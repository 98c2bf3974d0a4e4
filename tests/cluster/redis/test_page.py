"""docs/redis.md: its program, its line for redis-cli and its rights."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from phxactor import Application, Endpoint, Socket, channel, mount
from phxactor.cluster import Cluster, LocalNode, Redis, this_node
from phxactor.runtime import open_runtime
from phxactor.testing import connect
from tests.cluster.redis.fake_redis import FakeRedis
from tests.cluster.redis.nodes import until
from tests.test_readme import blocks, compiled

PAGE = Path(__file__).parents[3] / "docs" / "redis.md"


def program(containing: str) -> dict[str, Any]:
    """Run the block of the page that contains this, and return its names."""
    (block,) = [one for one in blocks(PAGE) if containing in one.text]
    names: dict[str, Any] = {"__name__": "chat"}
    exec(compiled(block, PAGE), names)  # noqa: S102 - our own page
    return names


def rights() -> str:
    """Return the ACL's rule of the page, without the user."""
    (rule,) = re.findall(r"^ {4}ACL SETUSER chat (.*)$", PAGE.read_text(), re.MULTILINE)
    assert isinstance(rule, str)
    return rule


async def test_the_program_is_a_node_and_a_line_of_redis_cli_reaches_its_clients(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY_BASE", "x" * 64)
    monkeypatch.setenv("REDIS_URL", "redis://alice:hunter2@cache")
    names = program("application = ")
    endpoint, application = names["endpoint"], names["application"]
    assert isinstance(endpoint, Endpoint)
    assert isinstance(application, Application)
    assert isinstance(application.cluster, Cluster)
    assert str(application.cluster.carriers[0]) == "Redis('redis://cache:6379', prefix='chat')"

    redis = FakeRedis()
    carrier = Redis("redis://cache", prefix="chat", secret=None, open_stream=redis.open_stream)
    async with open_runtime():
        again = Application(endpoints=[endpoint], cluster=carrier)
        (await again.start_link(server=False)).unwrap()
        client = await connect(names["UserSocket"], endpoint=endpoint)
        room = await client.subscribe_and_join("room:1")
        await until(lambda: this_node() is not None and node().health().state == "ready")
        (line,) = re.findall(r"^ {4}(redis-cli .*)$", PAGE.read_text(), re.MULTILINE)
        _, command, topic, payload = shlex.split(line)
        assert command == "PUBLISH"
        assert redis.publish(topic.encode(), payload.encode()) == 1
        assert await room.assert_push("news") == {"text": "hello"}


async def test_a_channel_tells_its_client_of_a_gap(autojump_clock: MockClock) -> None:
    board = program("class BoardChannel")["BoardChannel"]
    redis = FakeRedis()
    carrier = Redis("redis://cache", secret=None, open_stream=redis.open_stream)

    class UserSocket(Socket):
        channels = (channel("board", board),)

    async with open_runtime():
        endpoint = Endpoint(sockets=[mount("/socket", UserSocket)], secret_key_base="x" * 64)
        (await Application(endpoints=[endpoint], cluster=carrier).start_link(server=False)).unwrap()
        client = await connect(UserSocket, endpoint=endpoint)
        joined = await client.subscribe_and_join("board")
        await until(lambda: node().health().state == "ready")
        redis.kill()
        await joined.assert_push("reload", {}, within=10)


def node() -> LocalNode:
    found = this_node()
    assert found is not None
    return found
