"""What comes for a topic while it is being joined, and joins that are refused."""

from __future__ import annotations

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

from phxactor import Channel, Ok, channel
from phxactor.channels import Payload
from phxactor.socket._backlog import SMALL_WEIGHT
from phxactor.socket._multiplexer import WAITING
from tests.sockets.rooms import ROOMS
from tests.sockets.serving import complaints
from tests.sockets.wires import (
    error,
    only_the_connection_is_left,
    refusal,
    reply,
    wire,
)


class All(Channel):
    """Says which event came, whatever it was."""

    async def handle_in(self, event: str, payload: Payload) -> Ok[str]:
        return Ok(event)


async def test_what_comes_while_joining_waits_up_to_a_limit(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        it.join("room:slow")
        for number in range(WAITING + 2):
            it.say("1", number, "room:slow", "echo", number)
        full = refusal("too many messages before the join was answered")
        assert await it.hear() == [reply(number, "room:slow", full, join_ref="1") for number in (WAITING, WAITING + 1)]
        await trio.sleep(1.1)
        assert await it.hear() == [
            reply("1", "room:slow"),
            *(
                reply(number, "room:slow", {"status": "ok", "response": number}, join_ref="1")
                for number in range(WAITING)
            ),
        ]


async def test_an_event_that_is_no_text_waits_and_is_taken_in_its_place(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with wire(ROOMS) as it:
        it.join("room:slow")
        it.say("1", "2", "room:slow", "echo", 2)
        it.say_odd(b'["9","3","room:slow",7,{}]')  # meant for another join
        it.say_odd(b'["1","4","room:slow",{"echo":1},{}]')
        it.say("1", "5", "room:slow", "echo", 5)
        assert await it.hear() == []
        await trio.sleep(1.1)
        assert (await it.hear())[:3] == [
            reply("1", "room:slow"),
            reply("2", "room:slow", {"status": "ok", "response": 2}, join_ref="1"),
            error("1", "room:slow"),
        ]
        only_the_connection_is_left(it)
    (line,) = complaints(caplog)
    assert line.message == "Room of 'room:slow' has no handler for the event '{\"echo\":1}'"


async def test_an_event_that_is_no_text_is_nothing_to_a_handle_in_for_all(autojump_clock: MockClock) -> None:
    async with wire(channel("all:*", All)) as it:
        it.join("all:1")
        it.say("1", "2", "all:1", "7")
        it.say("1", "3", "all:1", "null")
        it.say_odd(b'["1","4","all:1",null,{}]')
        assert await it.hear() == [
            reply("1", "all:1"),
            reply("2", "all:1", {"status": "ok", "response": "7"}, join_ref="1"),
            reply("3", "all:1", {"status": "ok", "response": "null"}, join_ref="1"),
            error("1", "all:1"),
        ]


async def test_what_waits_is_counted_joins_among_it(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        it.join("room:slow")
        it.say("1", "2", "room:slow", "echo", 1)
        it.join("room:slow2")
        await it.hear()
        assert it.mux.backlog.held() == 3 * SMALL_WEIGHT
        await trio.sleep(1.1)
        assert len(await it.hear()) == 3
        assert it.mux.backlog.held() == 0


async def test_what_waited_for_a_refused_join_is_answered(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        it.join("room:refuse")
        it.say("1", "2", "room:refuse", "echo")
        it.say("1", "3", "room:refuse", "phx_leave")
        it.join("room:refuse", "4")
        it.say("4", "5", "room:refuse", "echo")
        assert await it.hear() == [
            reply("1", "room:refuse", refusal("no")),
            reply("2", "room:refuse", refusal("unmatched topic"), join_ref=None),
            reply("3", "room:refuse", join_ref="1"),
            reply("4", "room:refuse", refusal("no")),
            reply("5", "room:refuse", refusal("unmatched topic"), join_ref=None),
        ]
        only_the_connection_is_left(it)


async def test_other_topics_go_on(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        it.join("room:slow")
        it.join("room:quick", "2")
        it.say("2", "3", "room:quick", "echo", 1)
        it.say(None, "4", "phoenix", "heartbeat")
        heard = await it.hear()
        assert reply("4", "phoenix", join_ref=None) in heard
        assert reply("3", "room:quick", {"status": "ok", "response": 1}, join_ref="2") in heard
        assert reply("1", "room:slow") not in heard


@pytest.mark.parametrize("topic", ["room:object", "room:error_object"])
async def test_an_answer_that_cannot_be_written_is_a_crash_of_the_join(
    autojump_clock: MockClock, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with wire(ROOMS) as it:
        it.join(topic)
        it.say("1", "2", topic, "echo")
        assert await it.hear() == [
            reply("1", topic, refusal("join crashed")),
            reply("2", topic, refusal("unmatched topic"), join_ref=None),
        ]
        only_the_connection_is_left(it)
    (line,) = [one for one in complaints(caplog) if one.name == "phxactor.channel.join_failed"]
    assert topic in line.message
