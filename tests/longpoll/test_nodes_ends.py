"""Sessions over nodes, where sessions, nodes, relays and endpoints end."""

from __future__ import annotations

from http import HTTPStatus

import pytest
import trio
from trio.testing import MockClock

from phxactor import KILL
from phxactor.cluster import CLUSTER, LocalNode
from phxactor.endpoint import DrainOptions
from tests.longpoll.nodes import (
    BEAT,
    DELAY,
    NOTHING,
    Later,
    LeftError,
    news,
    publish_by_hand,
    remote,
)
from tests.longpoll.polling import GONE, OPENED, TAKEN, body_of, reply


@pytest.mark.parametrize("how", ["the session ends", "its node is killed", "a gap", "the client leaves"])
async def test_the_end_of_a_publish_request_whose_body_is_still_read(how: str, autojump_clock: MockClock) -> None:
    async with remote(3) as (it, here, there, client):

        async def meanwhile() -> None:
            assert (here.relay.statistics().visits, there.relay.statistics().asked) == (1, 1)
            match how:
                case "the session ends":
                    here.sessions()[0].exit(KILL)
                case "its node is killed":
                    await it.kill(here)
                case "a gap":
                    it.lose(here, there)
                    await trio.sleep(2 * BEAT)
                    it.hear()
                case _:
                    raise LeftError
            await trio.sleep(2 * BEAT)

        publishing = there.node.run(publish_by_hand, there, client, 1_000_000, b"x", meanwhile)
        if how == "the client leaves":
            with pytest.raises(LeftError):
                await publishing
        else:
            assert await publishing == HTTPStatus.GONE
        await trio.sleep(2 * DELAY)
        assert all(one.quiet() for one in it.servers)
        if how == "the client leaves":
            assert await client.publish(["1", "2", "room:1", "echo", 1]) == TAKEN
        else:
            assert await client.publish(["1", "2", "room:1", "echo", 1]) == GONE


async def test_a_session_that_has_ended_is_opened_anew(autojump_clock: MockClock) -> None:
    async with remote() as (_, here, there, client):
        async with trio.open_nursery() as nursery:
            waiting = Later(nursery, client.poll)
            await trio.sleep(1)
            here.sessions()[0].exit(KILL)
            assert await waiting.get() == GONE
        assert await client.publish(["1", "2", "room:1", "echo", 1]) == GONE
        assert await client.poll() == OPENED
        assert len(there.sessions()) == 1


async def test_the_node_of_the_session_dies(autojump_clock: MockClock) -> None:
    async with remote(3) as (it, here, there, client):
        other = it.client(at=there)
        other.token = client.token
        async with trio.open_nursery() as nursery:
            polled = Later(nursery, client.poll)
            published = Later(nursery, lambda: other.publish_lines(*[["1", "2", "room:1", "sleep", 5]] * 100))
            await trio.sleep(1)
            await it.kill(here)
            assert await polled.get() == GONE
            assert await published.get() in (GONE, TAKEN)
        assert await other.publish(["1", "2", "room:1", "echo", 1]) == GONE
        assert await client.poll() == OPENED
        assert all(one.quiet() for one in it.servers)


async def test_the_node_of_a_waiting_poll_dies_and_the_session_goes_on(autojump_clock: MockClock) -> None:
    async with remote(3) as (it, here, there, client):
        async with trio.open_nursery() as nursery:
            lost = Later(nursery, client.poll)
            await trio.sleep(1)
            await it.kill(there)
            assert await lost.get() is LeftError
        client.at = None
        await here.news(1)
        assert await client.messages() == news(1)
        await trio.sleep(2 * DELAY)
        assert all(one.quiet() for one in it.servers)


async def test_the_node_of_messages_on_their_way_dies_and_the_session_ends(autojump_clock: MockClock) -> None:
    """Nobody knows whether they have arrived."""
    async with remote(3) as (it, here, there, client):
        async with trio.open_nursery() as nursery:
            lost = Later(nursery, client.poll)
            await trio.sleep(1)
            await here.news(1)
            await trio.sleep(DELAY / 2)
            await it.kill(there)
            assert await lost.get() is LeftError
        await trio.sleep(DELAY)
        assert here.sessions() == []
        assert all(one.quiet() for one in it.servers)


async def test_the_end_of_a_relay_is_the_end_of_its_requests_only(autojump_clock: MockClock) -> None:
    async with remote() as (it, here, there, client):
        for server in (there, here):
            async with trio.open_nursery() as nursery:
                waiting = Later(nursery, client.poll)
                await trio.sleep(1)
                relay = server.node.runtime.names.whereis("endpoint.relay")
                assert relay is not None
                relay.exit(KILL)
                assert await waiting.get() == (GONE if server is there else NOTHING)
            await trio.sleep(1)
            await here.news(1)
            assert await client.messages() == news(1)
        await trio.sleep(3 * DELAY)
        assert all(one.quiet() for one in it.servers)


async def test_a_node_that_stops_lets_go_those_that_poll_elsewhere(autojump_clock: MockClock) -> None:
    async with remote(3, drain=DrainOptions(limit=20)) as (it, here, there, client):
        async with trio.open_nursery() as nursery:
            waiting = Later(nursery, client.poll)
            await trio.sleep(1)
            began = trio.current_time()
            nursery.start_soon(it.leave, there)
            assert await waiting.get() == NOTHING
            assert trio.current_time() - began < 1
        await here.news(1)
        client.at = None
        assert await client.messages() == news(1)


async def test_a_session_that_drains_brings_what_it_has(autojump_clock: MockClock) -> None:
    async with remote(3) as (it, here, _, client):
        assert await client.publish(["1", "2", "room:1", "sleep", 3]) == TAKEN
        async with trio.open_nursery() as nursery:
            waiting = Later(nursery, client.messages)
            nursery.start_soon(it.leave, here)
            assert await waiting.get() == [reply("1", "2", "room:1", 3)]
        assert await client.publish(["1", "3", "room:1", "echo", 3]) == GONE
        assert body_of(await client.request("GET"))["status"] == 410


async def test_a_relay_begins_anew_with_the_node_that_the_cluster_is_after_a_restart(autojump_clock: MockClock) -> None:
    async with remote() as (it, here, there, client):
        before = there.node.local.id
        cluster = there.node.runtime.names.whereis(CLUSTER)
        assert cluster is not None
        cluster.exit(KILL)
        await trio.sleep(5 * BEAT)
        after = LocalNode.found(there.node.runtime)
        assert after is not None
        assert after.id != before
        await here.news(1)
        assert await client.messages() == news(1)
        opened = await it.opened(at=there)
        opened.at = here
        await opened.join("room:2")
        await trio.sleep(2 * DELAY)
        assert here.quiet()
        assert there.quiet()
