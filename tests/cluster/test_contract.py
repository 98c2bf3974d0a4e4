"""The contract of carriers, for each of them."""

from __future__ import annotations

import atexit
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import cache
from itertools import combinations

import pytest
from trio.testing import MockClock

from phxactor.cluster import Cluster, Redis
from phxactor.cluster.carriers.workers import Workers
from phxactor.testing import SimulatedNode
from tests.cluster.bare import bare
from tests.cluster.contract import CarrierContract, StoppedNodesContract
from tests.cluster.redis.fake_redis import FakeRedis
from tests.libraries import servers

SECRET = "the secret of all these nodes"


class TestSimulated(StoppedNodesContract):
    """The simulated carrier, with a delay."""

    @asynccontextmanager
    async def nodes(self, count: int, max_message_bytes: int) -> AsyncIterator[Sequence[SimulatedNode]]:
        async with bare(count, max_message_bytes=max_message_bytes, delay=0.005, secret=SECRET) as nodes:
            yield nodes


class TestWorkers(StoppedNodesContract):
    """Lines over socket pairs, in one process."""

    @asynccontextmanager
    async def nodes(self, count: int, max_message_bytes: int) -> AsyncIterator[Sequence[SimulatedNode]]:
        carriers: list[Workers] = []

        def make(name: str) -> Cluster:
            carriers.append(Workers())
            return Cluster(carriers[-1], name=name, group=b"one host", max_message_bytes=max_message_bytes)

        try:
            async with bare(count, carriers=make) as nodes:
                yield nodes
        finally:
            for one in carriers:
                one.close_all()

    async def connect(self, nodes: Sequence[SimulatedNode]) -> None:
        for one, other in combinations(nodes, 2):
            ends = socket.socketpair()
            for node, peer, end in ((one, other, ends[0]), (other, one, ends[1])):
                carrier = node.carriers[0]
                assert isinstance(carrier, Workers)
                carrier.add_line(peer.identity, end)


class TestRedis(StoppedNodesContract):
    """The carrier over Redis, with a server in memory."""

    @asynccontextmanager
    async def nodes(self, count: int, max_message_bytes: int) -> AsyncIterator[Sequence[SimulatedNode]]:
        redis = FakeRedis()

        def make(name: str) -> Cluster:
            carrier = Redis("redis://h", open_stream=redis.open_stream, secret=SECRET)
            return Cluster(carrier, name=name, max_message_bytes=max_message_bytes)

        async with bare(count, carriers=make) as nodes:
            yield nodes


@pytest.mark.redis
@pytest.mark.socket
class TestRealRedis(CarrierContract):
    """The carrier over Redis, with a server of its own; each test has another prefix."""

    @pytest.fixture
    def clock(self) -> MockClock | None:
        return None

    @asynccontextmanager
    async def nodes(self, count: int, max_message_bytes: int) -> AsyncIterator[Sequence[SimulatedNode]]:
        prefix = f"contract-{secrets.token_hex(4)}"

        def make(name: str) -> Cluster:
            carrier = Redis(f"redis://127.0.0.1:{_port()}", prefix=prefix, secret=SECRET)
            return Cluster(carrier, name=name, max_message_bytes=max_message_bytes)

        async with bare(count, carriers=make) as nodes:
            yield nodes


_running = ExitStack()
"""The server, which runs from the first test that needs it to the end of the process."""
atexit.register(_running.close)


@cache
def _port() -> int:
    if servers.REDIS is None:
        pytest.skip("there is no redis-server: as root on Debian `make test` installs it")
    return _running.enter_context(servers.redis_server())
