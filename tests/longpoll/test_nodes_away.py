"""Sessions over nodes while a carrier is away: their nodes cannot be reached, and may be there all the same."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from phxactor.cluster import LocalNode
from phxactor.endpoint._relay_held import SECONDS, UNHEARD
from tests.longpoll.nodes import NOTHING, House, Later, Server, news, remote
from tests.longpoll.polling import GONE, OPENED, TAKEN, reply


class Redis:
    """The carrier of two nodes, which goes away and comes back."""

    def __init__(self, house: House, here: Server, there: Server) -> None:
        self.house, self.servers = house, (here, there)

    async def go(self) -> None:
        """Be away until both nodes count the other as down."""
        here, there = self.servers
        self.house.lose(here, there)
        self.house.lose(there, here)
        for server in self.servers:
            local = LocalNode.found(server.node.runtime)
            assert local is not None
            (carrier,) = server.node.carriers
            local.away(carrier, "a test")
        await trio.sleep(7)
        assert not any(local.nodes() for local in map(self._local, self.servers))

    def come_back(self) -> None:
        """Be there again: the nodes hear each other at the next beat."""
        self.house.hear()
        for server in self.servers:
            (carrier,) = server.node.carriers
            self._local(server).back(carrier)

    @staticmethod
    def _local(server: Server) -> LocalNode:
        local = LocalNode.found(server.node.runtime)
        assert local is not None
        return local


async def test_polls_elsewhere_are_answered_with_nothing_and_the_session_goes_on(autojump_clock: MockClock) -> None:
    async with remote() as (it, here, there, client):
        await Redis(it, here, there).go()
        await here.news(1)
        for _ in range(1):
            began = trio.current_time()
            assert await client.poll() == NOTHING
            assert trio.current_time() - began == pytest.approx(SECONDS, abs=0.5)
        client.at = here
        assert (await client.poll())["messages"] == news(1)
        assert (len(here.sessions()), len(there.sessions())) == (1, 0)
        assert there.quiet()


async def test_a_poll_that_waits_as_the_carrier_goes_is_answered_with_nothing(autojump_clock: MockClock) -> None:
    async with remote() as (it, here, there, client):
        async with trio.open_nursery() as nursery:
            polled = Later(nursery, client.poll)
            await trio.sleep(1)
            await Redis(it, here, there).go()
            assert polled.done.is_set()
        assert await polled.get() != GONE
        client.at = here
        await here.news(1)
        assert (await client.poll())["messages"] == news(1)


async def test_what_waits_goes_on_when_the_carrier_is_back(autojump_clock: MockClock) -> None:
    """A publish request is taken, once; a poll gets its messages."""
    async with remote() as (it, here, there, client):
        redis = Redis(it, here, there)
        await redis.go()
        other = it.client(at=there)
        other.token = client.token
        async with trio.open_nursery() as nursery:
            published = Later(nursery, lambda: other.publish(["1", "2", "room:1", "echo", 1]))
            await trio.sleep(1)
            redis.come_back()
            assert await published.get() == TAKEN
        assert (await client.poll())["messages"] == [reply("1", "2", "room:1", 1)]
        await trio.sleep(1)
        assert (len(here.sessions()), here.quiet()) == (1, True)


async def test_a_publish_request_waits_for_so_long_and_is_then_refused(autojump_clock: MockClock) -> None:
    async with remote() as (it, here, there, client):
        await Redis(it, here, there).go()
        began = trio.current_time()
        assert await client.publish(["1", "2", "room:1", "echo", 1]) == GONE
        assert trio.current_time() - began == pytest.approx(SECONDS, abs=0.5)
        client.at = here
        await here.news(1)
        assert (await client.poll())["messages"] == news(1)  # and no reply: nothing was taken


async def test_a_client_that_leaves_waits_no_more(autojump_clock: MockClock) -> None:
    async with remote() as (it, here, there, client):
        redis = Redis(it, here, there)
        await redis.go()
        async with trio.open_nursery() as nursery:
            polled = Later(nursery, client.poll)
            await trio.sleep(1)
            client.leave()
            await polled.get()
        redis.come_back()
        await trio.sleep(2)
        assert there.quiet()
        assert here.quiet()


async def test_a_node_that_is_not_back_with_the_carrier_is_gone(autojump_clock: MockClock) -> None:
    async with remote() as (it, here, there, client):
        redis = Redis(it, here, there)
        await redis.go()
        assert await client.poll() == NOTHING
        it.servers.remove(here)
        await here.node.kill()
        (carrier,) = there.node.carriers
        local = LocalNode.found(there.node.runtime)
        assert local is not None
        local.back(carrier)
        began = trio.current_time()
        assert await client.poll() == OPENED
        assert trio.current_time() - began < UNHEARD + 1
