"""Random requests of one session on random nodes, with kills and gaps: no message is lost or comes twice."""

from __future__ import annotations

import random
from typing import Final

import pytest
import trio
from trio.testing import MockClock

from phxactor import LongPollOptions
from tests.longpoll.nodes import Client, House, LeftError, house
from tests.longpoll.polling import TAKEN

OPTIONS: Final = LongPollOptions(check_origin=False, window=2.0)
HUGE: Final = "x" * 20_000
SMALL: Final = 8192
"""Bytes of a message between nodes at most, so that large ones come in parts."""


class Story:
    """One client, what it has pushed and what it has heard, until its session is gone."""

    def __init__(self, it: House, seed: int) -> None:
        self.it = it
        self.chance = random.Random(seed)  # noqa: S311
        self.client: Client
        self.asked: list[int] = []
        """Numbers of which the client knows that they were taken."""
        self.heard: list[int] = []
        self.gone = False
        self.abandoned = 0

    async def live(self) -> None:
        """Push and poll at random nodes, and leave now and then."""
        self.client = await self.it.opened()
        if await self.client.publish(["1", "1", "room:1", "phx_join", {}]) != TAKEN:
            self.gone = True
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.poll)
            await self.push()
            await trio.sleep(OPTIONS.window * 4)
            nursery.cancel_scope.cancel()

    async def push(self) -> None:
        for number in range(40):
            text = self.chance.choice(["", "", HUGE])
            said = await self.client.publish(["1", str(number), "room:1", "echo", [number, text]])
            if said != TAKEN:
                self.gone = True
                return
            self.asked.append(number)
            await trio.sleep(self.chance.choice([0, 0.001, 0.01, 0.5]))

    async def poll(self) -> None:
        poller = Client(self.client.endpoint, house=self.it, token=self.client.token)
        while True:
            if self.chance.random() < 0.3:
                await self.abandon(poller)
            said = await poller.poll()
            if said["status"] == 410:
                self.gone = True
                return
            self.heard += [one[4]["response"][0] for one in said["messages"] if one[4]["response"]]

    async def abandon(self, poller: Client) -> None:
        """Poll, and leave at some moment; an answer that has come by then is heard."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.leave, poller, self.chance.choice([0, 0.0005, 0.001, 0.002, 0.003, 0.1]))
            try:
                said = await poller.poll()
            except LeftError:
                self.abandoned += 1
            else:
                self.heard += [one[4]["response"][0] for one in said.get("messages", []) if one[4]["response"]]
                self.gone = self.gone or said["status"] == 410
            nursery.cancel_scope.cancel()

    async def leave(self, poller: Client, seconds: float) -> None:
        await trio.sleep(seconds)
        poller.leave()


@pytest.mark.parametrize("seed", range(5))
async def test_nothing_is_lost_or_comes_twice(seed: int, autojump_clock: MockClock) -> None:
    async with house(4, OPTIONS, seed=seed, uneven=True, max_message_bytes=SMALL) as it:
        story = Story(it, seed)
        await story.live()
        assert not story.gone
        assert story.heard == story.asked == [*range(40)]
        assert story.abandoned
        await trio.sleep(OPTIONS.window * 2)
        assert all(one.quiet() for one in it.servers)


async def disturb(it: House, chance: random.Random, how: str) -> None:
    """Make faults of one kind, again and again."""
    while True:
        await trio.sleep(chance.uniform(0, 4))
        one, other = chance.sample(it.servers, 2)
        match how:
            case "gaps":
                it.lose(one, other)
                await trio.sleep(chance.choice([0.001, 0.005, 0.5]))
                it.hear()
            case "cuts":
                it.nodes.network.cut(one.node.name, other.node.name)
                await trio.sleep(chance.choice([0.1, 4.0, 7.0]))
                it.hear()
            case "stops":
                await one.node.stop()
                await trio.sleep(chance.choice([0.1, 1.0, 7.0]))
                one.node.go_on()
            case "kills":
                await it.kill(one)
                await trio.sleep(1)
                await it.restart(one)


@pytest.mark.parametrize("how", ["gaps", "cuts", "stops", "kills"])
@pytest.mark.parametrize("seed", range(5))
async def test_nothing_is_lost_or_comes_twice_before_the_session_is_gone(
    seed: int, how: str, autojump_clock: MockClock
) -> None:
    async with house(4, OPTIONS, seed=seed, uneven=True, max_message_bytes=SMALL) as it:
        story = Story(it, seed)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(disturb, it, random.Random(seed), how)  # noqa: S311
            try:
                await story.live()
            except* LeftError:
                story.gone = True
            nursery.cancel_scope.cancel()
        assert story.heard == [*range(len(story.heard))]
        if not story.gone:
            assert story.heard == story.asked == [*range(40)]
        it.hear()
        for server in it.servers:
            server.node.go_on()
        await trio.sleep(OPTIONS.window * 10)
        assert all(one.quiet() for one in it.servers)
        assert all(one.sessions() == [] for one in it.servers)
