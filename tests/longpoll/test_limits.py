"""What a session may cost, and how it is drained."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from phxactor import LongPollOptions
from phxactor.endpoint import DrainOptions
from phxactor.transport._longpoll import EXPIRY
from phxactor.transport._publications import MAX_LINES
from tests.longpoll.polling import GONE, OPENED, TAKEN, house, reply
from tests.sockets.serving import complaints


async def test_a_client_that_does_not_poll_costs_no_more_than_the_bound(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(LongPollOptions(check_origin=False, max_output_bytes=10_000)) as it:
        slow, other = await it.opened(), await it.opened()
        await slow.join("room:1")
        await other.join("room:2")
        for _ in range(9):
            it.endpoint.broadcast("room:1", "news", "x" * 1000)
        await trio.sleep(1)
        assert len(await slow.messages()) == 9
        for _ in range(10):
            it.endpoint.broadcast("room:1", "news", "x" * 1000)
        await trio.sleep(1)
        assert await slow.publish(["1", "2", "room:1", "echo", 1]) == GONE
        assert len(it.channels()) == 1
        assert await slow.poll() == OPENED
        await other.publish(["1", "2", "room:2", "echo", 1])
        assert await other.messages() == [reply("1", "2", "room:2", 1)]
    (line,) = complaints(caplog)
    assert "1013" in line.getMessage()


async def test_a_client_that_only_publishes_is_bounded_by_its_answers(autojump_clock: MockClock) -> None:
    async with house(LongPollOptions(check_origin=False, max_output_bytes=100_000)) as it:
        client = await it.opened()
        await client.join("room:1")
        said, published = TAKEN, 0
        while said == TAKEN:
            said = await client.publish_lines(*(["1", "2", "room:1", "echo", "x" * 100] for _ in range(MAX_LINES)))
            published += 1
        assert said == GONE
        assert published < 10
        await trio.sleep(0.001)
        assert it.channels() == []


async def test_channels_are_limited(autojump_clock: MockClock) -> None:
    async with house(LongPollOptions(check_origin=False, max_channels=3)) as it:
        client = await it.opened()
        joins = [[str(number), str(number), f"room:{number}", "phx_join", {}] for number in range(5)]
        assert await client.publish_lines(*joins) == TAKEN
        await trio.sleep(0.001)
        answers = await client.messages()
        assert sorted(answer[4]["status"] for answer in answers) == ["error", "error", "ok", "ok", "ok"]
        assert answers.count(reply("3", "3", "room:3", {"reason": "too many channels joined"}, "error")) == 1
        assert len(it.channels()) == 3


async def test_sessions_leave_nothing_behind(autojump_clock: MockClock) -> None:
    async with house() as it:
        before = it.runtime.statistics()
        for _ in range(50):
            client = await it.opened()
            await client.join("room:1")
        await trio.sleep(LongPollOptions().window * EXPIRY + 1)
        assert it.sessions() == []
        assert len(it.endpoint.serving.sessions) == 0
        await trio.sleep(100)  # join time-outs and the like
        assert it.runtime.statistics() == before


# -------------------------------------------------------------------------------------------------------- drain


async def test_a_drain_lets_what_was_published_be_answered(autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened()
        await client.join("room:1")
        answers: list[object] = []

        async def poll() -> None:
            answers.append(await client.poll())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(poll)
            await client.publish(["1", "2", "room:1", "sleep", 3])
            await trio.sleep(1)
            assert await it.stop() == pytest.approx(2, abs=0.1)
        assert answers == [{"status": 200, "token": "<token>", "messages": [reply("1", "2", "room:1", 3)]}]
        assert it.sessions() == []


async def test_a_drain_ends_a_poll_that_waits(autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened()
        answers = []

        async def poll() -> None:
            answers.append(await client.poll())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(poll)
            await trio.sleep(1)
            assert await it.stop() < 0.1
        assert answers == [GONE]


async def test_a_drain_does_not_wait_longer_than_its_limit(autojump_clock: MockClock) -> None:
    async with house(drain=DrainOptions(limit=5)) as it:
        client = await it.opened()
        await client.join("room:1")
        await client.publish(["1", "2", "room:1", "sleep", 60])
        await trio.sleep(1)
        assert 5 <= await it.stop() < 12
        assert it.sessions() == []
