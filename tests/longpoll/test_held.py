"""Clients that publish faster than channels handle: their requests wait, so that what waits for channels is bounded."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from phxactor import LongPollOptions
from phxactor.endpoint import DrainOptions
from phxactor.runtime import SHUTDOWN
from tests.longpoll.polling import GONE, TAKEN, Client, house, reply

SLOW = ["1", "slow", "room:1", "sleep", 1]
LARGE = ["1", "large", "room:1", "echo", "x" * 60_000]
NEXT = ["1", "next", "room:1", "echo", "x" * 10_000]
SMALL = LongPollOptions(check_origin=False, max_input_bytes=65536)


async def publish(client: Client, message: object, answers: list[tuple[float, object]]) -> None:
    said = await client.publish(message)
    answers.append((trio.current_time(), said))


async def test_a_request_waits_until_the_channels_have_caught_up(autojump_clock: MockClock) -> None:
    async with house(SMALL) as it:
        client = await it.opened()
        await client.join("room:1")
        began = trio.current_time()
        answers: list[tuple[float, object]] = []
        async with trio.open_nursery() as nursery:
            # The channel sleeps, as much waits for it as may, and so the third request waits too.
            for message in (SLOW, LARGE, NEXT):
                nursery.start_soon(publish, client, message, answers)
                await trio.sleep(0.01)
        assert [said for _, said in answers] == [TAKEN] * 3
        waited = [at - began for at, _ in answers]
        assert waited[1] < 0.1
        assert 0.9 < waited[2] < 1.4
        messages = await client.messages()
        assert [message[1] for message in messages] == ["slow", "large", "next"]


async def test_requests_that_wait_are_taken_in_order(autojump_clock: MockClock) -> None:
    async with house(SMALL) as it:
        client = await it.opened()
        await client.join("room:1")
        answers: list[tuple[float, object]] = []
        async with trio.open_nursery() as nursery:
            for message in (SLOW, LARGE, *(["1", str(number), "room:1", "echo", number] for number in range(20))):
                nursery.start_soon(publish, client, message, answers)
                await trio.sleep(0.001)
        assert [said for _, said in answers] == [TAKEN] * 22
        messages = await client.messages()
        assert messages[2:] == [reply("1", str(number), "room:1", number) for number in range(20)]


async def test_the_end_of_the_session_ends_the_waiting(autojump_clock: MockClock) -> None:
    async with house(SMALL) as it:
        client = await it.opened(user="1")
        await client.join("room:1")
        answers: list[tuple[float, object]] = []
        async with trio.open_nursery() as nursery:
            for message in (SLOW, LARGE, NEXT):
                nursery.start_soon(publish, client, message, answers)
                await trio.sleep(0.01)
            it.endpoint.broadcast("user:1", "disconnect", {})
        assert [said for _, said in answers] == [TAKEN, TAKEN, GONE]


async def test_a_drain_waits_for_what_waits(autojump_clock: MockClock) -> None:
    async with house(SMALL, drain=DrainOptions(limit=10)) as it:
        client = await it.opened()
        await client.join("room:1")
        answers: list[tuple[float, object]] = []
        async with trio.open_nursery() as nursery:
            for message in (SLOW, LARGE, NEXT):
                nursery.start_soon(publish, client, message, answers)
                await trio.sleep(0.01)
            it.pid.exit(SHUTDOWN)
        assert [said for _, said in answers] == [TAKEN] * 3
