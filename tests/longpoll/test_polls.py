"""Polls: how long they wait, what they bring, and which of two is answered."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from phxactor import LongPollOptions
from tests.longpoll.polling import TAKEN, house, reply

WINDOW = LongPollOptions().window
NOTHING = {"status": 204, "token": "<token>", "messages": []}


@pytest.mark.parametrize("window", [0.5, WINDOW, 60.0])
async def test_a_poll_waits_for_the_window(window: float, autojump_clock: MockClock) -> None:
    async with house(LongPollOptions(check_origin=False, window=window)) as it:
        client = await it.opened()
        for _ in range(3):
            since = trio.current_time()
            assert await client.poll() == NOTHING
            assert trio.current_time() - since == pytest.approx(window)


async def test_a_poll_is_answered_as_soon_as_there_is_something(autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened()
        await client.join("room:1")
        since = trio.current_time()
        assert await client.publish(["1", "2", "room:1", "sleep", 3]) == TAKEN
        assert trio.current_time() - since < 0.01
        assert await client.messages() == [reply("1", "2", "room:1", 3)]
        assert trio.current_time() - since == pytest.approx(3)


async def test_what_happens_between_two_polls_waits_for_the_next(autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened()
        await client.join("room:1")
        for number in range(2, 7):
            await client.publish(["1", str(number), "room:1", "echo", number])
            await trio.sleep(1)
        assert await client.messages() == [reply("1", str(number), "room:1", number) for number in range(2, 7)]


async def test_what_happens_in_one_pass_comes_in_one_answer(autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened()
        await client.join("room:1")
        answers: list[list[object]] = []

        async def poll() -> None:
            answers.append(await client.messages())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(poll)
            await trio.sleep(1)
            for number in range(50):
                it.endpoint.broadcast("room:1", "news", number)
        assert answers == [[[None, None, "room:1", "news", number] for number in range(50)]]


async def test_a_poll_takes_the_place_of_an_older_one(autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened()
        await client.join("room:1")
        answers: list[tuple[str, float, object]] = []

        async def poll(name: str) -> None:
            said = await client.poll()
            answers.append((name, trio.current_time(), said))

        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(poll, "older")
            await trio.sleep(4)
            nursery.start_soon(poll, "newer")
            await trio.sleep(4)
            it.endpoint.broadcast("room:1", "news", 1)
        older, newer = answers
        assert older == ("older", start + 4, NOTHING)  # its client has given it up, or it was sent twice
        assert newer[0] == "newer"
        assert newer[2] == {**NOTHING, "status": 200, "messages": [[None, None, "room:1", "news", 1]]}
        assert newer[1] - start == pytest.approx(8)


async def test_the_window_of_a_poll_is_its_own(autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened()
        ends = []

        async def poll() -> None:
            await client.poll()
            ends.append(trio.current_time())

        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(poll)
                await trio.sleep(WINDOW * 0.75)
        assert [end - start for end in ends] == pytest.approx([WINDOW * 0.75, WINDOW * 1.5, WINDOW * 2.5])


async def test_a_poll_that_comes_with_the_messages_is_the_one_that_has_them(autojump_clock: MockClock) -> None:
    """Three polls and a broadcast in one pass: none is answered with nothing because the others were served."""
    async with house() as it:
        client = await it.opened()
        await client.join("room:1")
        answers = []

        async def poll() -> None:
            answers.append(await client.poll())

        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(poll)
            await trio.sleep(1)
            it.endpoint.broadcast("room:1", "news", 1)
            nursery.start_soon(poll)
            nursery.start_soon(poll)
        assert sorted(len(answer["messages"]) for answer in answers) == [0, 0, 1]
        assert trio.current_time() - start == pytest.approx(WINDOW + 1)


async def test_binary_comes_as_base64(autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened()
        await client.join("room:1")
        it.endpoint.broadcast("room:1", "bin", bytes(range(256)))
        (line,) = await client.messages()
        assert base64.b64decode(line, validate=True) == b"\x02\x06\x03room:1bin" + bytes(range(256))


async def test_channels_know_how_their_client_is_connected(autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened()
        await client.join("room:1")
        await client.publish(["1", "2", "room:1", "transport", {}])
        assert await client.messages() == [reply("1", "2", "room:1", "longpoll")]


async def test_broadcasts_reach_all_sessions(autojump_clock: MockClock) -> None:
    async with house() as it:
        clients = [await it.opened() for _ in range(20)]
        for client in clients:
            await client.join("room:1")
        await clients[3].publish(["1", "2", "room:1", "shout", {"n": 1}])
        for client in clients:
            assert await client.messages() == [[None, None, "room:1", "shout", {"n": 1}]]


STEPS = st.lists(st.sampled_from(["publish", "broadcast", "pass", "pause"]), max_size=40)
GAPS = st.lists(st.sampled_from([0, 0.001, 1, 9, 14]), max_size=8)


@settings(max_examples=30, deadline=None)
@given(STEPS, GAPS)
def test_nothing_is_lost_doubled_or_disordered(steps: list[str], gaps: list[float]) -> None:
    """One polls with gaps, while others make things happen: each channel's messages come in order."""

    async def main() -> None:
        async with house() as it:
            client = await it.opened()
            await client.join("room:1")
            got: list[list[Any]] = []

            async def poll() -> None:
                for gap in gaps:
                    got.extend((await client.poll())["messages"])
                    await trio.sleep(gap)

            sent = []
            async with trio.open_nursery() as nursery:
                nursery.start_soon(poll)
                for number, step in enumerate(steps):
                    match step:
                        case "publish":
                            assert await client.publish(["1", "2", "room:1", "echo", number]) == TAKEN
                            sent.append(number)
                        case "broadcast":
                            it.endpoint.broadcast("room:1", "news", number)
                            sent.append(number)
                        case "pass":
                            await trio.lowlevel.checkpoint()
                        case "pause" if number < 5:  # one that is not polled at the end goes on living
                            await trio.sleep(2)
            await trio.sleep(0.001)
            got.extend((await client.poll())["messages"])
            echoes = [one[4]["response"] for one in got if one[3] == "phx_reply"]
            news = [one[4] for one in got if one[3] == "news"]
            assert (echoes, news) == (sorted(echoes), sorted(news))
            assert sorted(echoes + news) == sent

    trio.run(main, clock=MockClock(autojump_threshold=0))
