"""Sessions over nodes, where frames are lost, or are none."""

from __future__ import annotations

import random

import pytest
import trio
from trio.testing import MockClock

from phxactor.endpoint._relay_frames import Frame, Verb, to_message
from tests.longpoll.nodes import (
    BEAT,
    DELAY,
    NOTHING,
    WINDOW,
    Later,
    news,
    remote,
)
from tests.longpoll.polling import GONE


async def test_a_lost_answer_is_brought_again(autojump_clock: MockClock) -> None:
    async with remote() as (it, here, there, client):
        async with trio.open_nursery() as nursery:
            waiting = Later(nursery, client.poll)
            await trio.sleep(0.1)
            it.lose(here, there)
            await here.news(1, 2)
            await trio.sleep(DELAY)
            it.hear()
            assert await waiting.get() == NOTHING
        assert await client.messages() == news(1, 2)
        await trio.sleep(2 * BEAT)
        assert all(one.quiet() for one in it.servers)


async def test_a_lost_poll_is_answered_with_nothing(autojump_clock: MockClock) -> None:
    async with remote() as (it, here, there, client):
        async with trio.open_nursery() as nursery:
            it.lose(there, here)
            waiting = Later(nursery, client.poll)
            await trio.sleep(DELAY)
            it.hear()
            assert await waiting.get() == NOTHING
        await here.news(1)
        assert await client.messages() == news(1)
        await trio.sleep(2 * BEAT)
        assert all(one.quiet() for one in it.servers)


async def test_a_lost_publish_ends_the_session(autojump_clock: MockClock) -> None:
    async with remote() as (it, here, there, client):
        async with trio.open_nursery() as nursery:
            it.lose(there, here)
            waiting = Later(nursery, lambda: client.publish(["1", "2", "room:1", "echo", 1]))
            await trio.sleep(DELAY)
            it.hear()
            assert await waiting.get() == GONE
        await trio.sleep(2 * DELAY)
        assert here.sessions() == []
        assert all(one.quiet() for one in it.servers)


async def test_a_lost_verdict_ends_the_session(autojump_clock: MockClock) -> None:
    """The client has its messages; but its node has forgotten the poll, and the session's node cannot know."""
    async with remote() as (it, here, there, client):
        await here.news(1)
        async with trio.open_nursery() as nursery:
            first = Later(nursery, client.messages)
            await trio.sleep(1.5 * DELAY)
            it.lose(there, here)
            assert await first.get() == news(1)
            await trio.sleep(DELAY)
            it.hear()
        await trio.sleep(2 * BEAT)
        assert here.sessions() == []
        assert all(one.quiet() for one in it.servers)


@pytest.mark.parametrize("seed", range(5))
async def test_a_node_that_says_anything_harms_only_its_own_requests(seed: int, autojump_clock: MockClock) -> None:
    chance = random.Random(seed)  # noqa: S311
    async with remote(3) as (it, here, there, client):
        relay = here.node.runtime.names.whereis("endpoint.relay")
        (name,) = here.serving.sessions._known  # noqa: SLF001
        client.at = it.servers[2]
        async with trio.open_nursery() as nursery:
            waiting = Later(nursery, client.poll)
            await trio.sleep(1)
            for number in range(2000):
                frame = Frame(
                    chance.choice([verb for verb in Verb if verb is not Verb.END]),
                    chance.choice([0, 1, 2, 3, number, 2**64 - 1]),
                    chance.choice(["", "nobody", name if number % 100 == 0 else "no"]),
                    chance.choice([0, 1, 200, 410, 2**64 - 1]),
                    chance.choice([b"", b"/socket/longpoll", b"/other/longpoll", b"x", bytes(5)]),
                )
                message = to_message(frame, "endpoint")
                if chance.random() < 0.2:
                    message = message._replace(event=chance.choice(["", "poll!"]), payload=bytes(chance.randrange(20)))
                there.node.local.send(here.node.identity.id, message)
                if number % 50 == 0:
                    await trio.sleep(DELAY)
            await trio.sleep(1)
            there.node.local.send(here.node.identity.id, to_message(Frame(Verb.RESET), "endpoint"))
            await trio.sleep(WINDOW)
            assert waiting.done.is_set()
        assert here.node.runtime.names.whereis("endpoint.relay") is relay
        assert here.quiet()
