"""The carrier by Redis with a real redis-server: faults, TLS, Unix sockets, ACLs. tests/soak/redis.py has more."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from socket import create_server

import pytest
import trio

from phxactor.cluster import Redis
from tests.certificates import AUTHORITY, CLIENT
from tests.cluster.redis import faults
from tests.cluster.redis.faults import FAULTS, TOPIC, Talk
from tests.cluster.redis.nodes import SECRET, all_see_all, nodes, until
from tests.cluster.redis.proxy import Proxy
from tests.cluster.redis.server import RedisServer, server
from tests.cluster.redis.test_page import rights
from tests.libraries.servers import REDIS

pytestmark = [
    pytest.mark.redis,
    pytest.mark.socket,
    pytest.mark.slow,
    pytest.mark.skipif(REDIS is None, reason="there is no redis-server: as root on Debian `make test` installs it"),
]


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with server() as one:
        one.start()
        yield one


@pytest.mark.parametrize(
    ("name", "once"),
    [
        ("killed and started again", True),
        ("CLIENT KILL twice", False),
        ("SIGSTOP for 3 s", False),
        ("a message of 4 MB", True),
        ("a password appears", True),
    ],
)
async def test_nodes_survive_a_fault_of_redis(redis: RedisServer, name: str, once: bool) -> None:
    async with nodes(lambda: Redis(redis.url, secret=SECRET), "a", "b", "c") as members, trio.open_nursery() as nursery:
        for one in members:
            one.node.watch("pubsub", TOPIC)
        talk = Talk(members)
        nursery.start_soon(talk.run)
        result = await talk.survive(FAULTS[name], redis)
        assert not once or result.gaps == 6
        nursery.cancel_scope.cancel()


async def test_redis_stands_still_for_longer_than_nodes_wait(redis: RedisServer) -> None:
    async with nodes(lambda: Redis(redis.url, secret=SECRET), "a", "b") as members, trio.open_nursery() as nursery:
        for one in members:
            one.node.watch("pubsub", TOPIC)
        talk = Talk(members)
        nursery.start_soon(talk.run)
        result = await talk.survive(partial(faults.stopped, seconds=6.5), redis)
        assert result.gaps == 2
        nursery.cancel_scope.cancel()


async def test_a_pair_that_cannot_hear_each_other_is_told_and_heals(redis: RedisServer) -> None:
    """The third node hears both all the time, and both hear it."""
    to_a, to_b = Proxy(redis.port), Proxy(redis.port)
    async with trio.open_nursery() as nursery:
        await nursery.start(to_a.run)
        await nursery.start(to_b.run)
        urls = iter([to_a.url, to_b.url, redis.url])
        async with nodes(lambda: Redis(next(urls), secret=SECRET), "a", "b", "c") as members:
            a, b, c = members
            await all_see_all(members)
            for one in members:
                await one.watch("news")
                one.told.clear()
            to_a.keeps_back, to_b.keeps_back = b.node.id, a.node.id
            for one in members:
                one.say("news", one.node.identity.name.encode())
            await until(lambda: a.told == ["down b silent"] and b.told == ["down a silent"])
            assert (a.came, b.came, sorted(c.came), c.told) == ([b"c"], [b"c"], [b"a", b"b"], [])
            assert (a.is_ready, b.is_ready) == (True, True)
            to_a.keeps_back = to_b.keeps_back = None
            await all_see_all(members)
            for one in members:
                one.say("news", b"again")
            await until(lambda: all(one.came[-2:] == [b"again"] * 2 for one in members))
            await until(lambda: a.gaps() and b.gaps())  # with the next beat of the other
            await trio.sleep(1.5)  # and not with the one after that
            assert (a.told[1:], b.told[1:], c.told) == (["up b", "gap b"], ["up a", "gap a"], [])
        nursery.cancel_scope.cancel()


async def test_redis_is_not_there_yet() -> None:
    with server() as redis:
        async with nodes(lambda: Redis(redis.url, secret=SECRET), "a", "b") as (a, b):
            await until(lambda: "refused" in a.node.health().away[0].why)
            await trio.to_thread.run_sync(redis.start)
            await all_see_all([a, b])
            await b.watch("news")
            a.say("news", b"1")
            await until(lambda: b.came == [b"1"])


async def test_a_user_of_an_acl_needs_few_rights(redis: RedisServer) -> None:
    """The rights are those of docs/redis.md."""
    with redis.client() as client:
        rule = rights().replace("PASSWORD", "hunter2").split()
        client.execute_command("ACL", "SETUSER", "chat", *rule)
        client.execute_command("ACL", "SETUSER", "default", "off")
    url = redis.url.replace("://", "://chat:hunter2@")
    async with nodes(lambda: Redis(url, prefix="chat", secret=SECRET), "a", "b") as (a, b):
        await all_see_all([a, b])
        await b.watch("news")
        a.say("news", b"1")
        await until(lambda: b.came == [b"1"])
    async with nodes(lambda: Redis(url, prefix="other", secret=SECRET), "c") as (c,):
        await until(lambda: c.node.health().away[0].why == "Redis does not allow it to this user (ACL)")


async def test_by_tls_and_by_a_unix_socket(tmp_path: Path) -> None:
    certificate = AUTHORITY.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(str(tmp_path / "key"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert"))
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca"))
    with create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    options = {"tls-port": port, "tls-auth-clients": "no", "unixsocket": tmp_path / "redis"}
    options |= {
        "tls-cert-file": tmp_path / "cert",
        "tls-key-file": tmp_path / "key",
        "tls-ca-cert-file": tmp_path / "ca",
    }
    with server(*[text for name, value in options.items() for text in (f"--{name}", str(value))]) as redis:
        await trio.to_thread.run_sync(redis.start)

        url = f"rediss://127.0.0.1:{port}"
        async with (
            nodes(lambda: Redis(f"unix://{tmp_path}/redis", secret=SECRET), "a") as (a,),
            nodes(lambda: Redis(url, ssl_context=CLIENT, secret=SECRET), "b") as (b,),
            nodes(lambda: Redis(url, secret=SECRET), "c") as (c,),
        ):
            await all_see_all([a, b])
            await b.watch("news")
            a.say("news", bytes(300_000))
            await until(lambda: b.came == [bytes(300_000)])
            await until(lambda: "certificate" in c.node.health().away[0].why.lower())
