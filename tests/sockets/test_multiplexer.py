"""The life of a topic on one connection, in virtual time: joins, duplicates, time-outs, closes, and their races."""

from __future__ import annotations

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

from phxactor import Channel, Error, Pid, Shutdown, channel
from phxactor.channels import Payload
from phxactor.socket._join_acts import DUPLICATE_GRACE, MAX_TOPIC
from tests.sockets.rooms import ROOMS, Room, channels, watch
from tests.sockets.wires import (
    close,
    only_the_connection_is_left,
    refusal,
    reply,
    wire,
)


async def test_a_join_that_is_never_answered_times_out(autojump_clock: MockClock) -> None:
    async with wire(ROOMS, join_timeout=5) as it:
        it.join("room:never")
        it.say("1", "2", "room:never", "echo", 5)
        assert await it.hear() == []
        await trio.sleep(4.9)
        assert await it.hear() == []
        await trio.sleep(0.2)
        assert await it.hear() == [
            reply("1", "room:never", refusal("join timed out")),
            reply("2", "room:never", refusal("unmatched topic"), join_ref=None),
        ]
        only_the_connection_is_left(it)
        it.join("room:never", "3")
        await trio.sleep(6)
        assert await it.hear() == [reply("3", "room:never", refusal("join timed out"))]


async def test_a_join_in_time_leaves_no_timer(autojump_clock: MockClock) -> None:
    async with wire(ROOMS, join_timeout=5) as it:
        it.join("room:slow")
        await trio.sleep(1.1)
        assert await it.hear() == [reply("1", "room:slow")]
        assert it.runtime.statistics().timers == 0
        await trio.sleep(10)
        assert await it.hear() == []
        it.say("1", "2", "room:slow", "echo", 1)
        assert await it.hear() == [reply("2", "room:slow", {"status": "ok", "response": 1}, join_ref="1")]


async def test_the_timer_of_a_pending_join_goes_with_its_connection(autojump_clock: MockClock) -> None:
    async with wire(ROOMS, join_timeout=500) as it:
        it.join("room:never")
        await it.hear()
        await it.hang_up()
        await trio.sleep(1)
        assert it.runtime.statistics().timers == 0


async def test_a_duplicate_join_waits_for_the_end_of_the_old_channel(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        it.join("room:1")
        await it.hear()
        (old,) = channels(it)
        ended: list[object] = []
        it.runtime.spawn(watch, old, ended)
        await it.hear()
        it.join("room:1", "2")
        it.say("2", "3", "room:1", "echo", 1)
        assert await it.hear() == [
            reply("2", "room:1"),
            close("1", "room:1"),
            reply("3", "room:1", {"status": "ok", "response": 1}, join_ref="2"),
        ]
        assert ended == [Shutdown("duplicate_join")]
        assert len(channels(it)) == 1


async def test_a_channel_that_does_not_end_for_its_duplicate_is_killed(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        it.join("room:stubborn")
        await it.hear()
        (old,) = channels(it)
        old.send(("hold", 7.0))
        await it.hear()
        it.join("room:stubborn", "2")
        await trio.sleep(DUPLICATE_GRACE - 0.1)
        assert await it.hear() == []
        assert alive(old)
        await trio.sleep(0.2)
        assert not alive(old)
        await trio.sleep(2)  # it shields itself
        assert await it.hear() == [reply("2", "room:stubborn"), close("1", "room:stubborn")]
        assert it.runtime.statistics().timers == 0


async def test_a_stubborn_channel_that_ends_in_time(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        it.join("room:stubborn")
        await it.hear()
        channels(it)[0].send(("hold", 3.0))
        await it.hear()
        it.join("room:stubborn", "2")
        await trio.sleep(3.1)
        assert await it.hear() == [reply("2", "room:stubborn"), close("1", "room:stubborn")]
        await trio.sleep(20)
        assert await it.hear() == []
        assert len(channels(it)) == 1


async def test_a_duplicate_that_is_refused_has_closed_the_old_one(autojump_clock: MockClock) -> None:
    # Phoenix ends the old channel before it asks the new one.
    async with wire(channel("moody", Moody)) as it:
        it.join("moody")
        assert await it.hear() == [reply("1", "moody")]
        it.say("2", "2", "moody", "phx_join", {"refuse": True})
        assert await it.hear() == [reply("2", "moody", refusal("moody")), close("1", "moody")]
        only_the_connection_is_left(it)


async def test_three_joins_at_once(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        for ref in "123":
            it.join("room:slow", ref)
            it.say(ref, ref * 2, "room:slow", "echo", ref)
        await trio.sleep(3.1)
        assert await it.hear() == [
            reply("1", "room:slow"),
            reply("11", "room:slow", {"status": "ok", "response": "1"}, join_ref="1"),
            reply("2", "room:slow"),
            close("1", "room:slow"),
            reply("22", "room:slow", {"status": "ok", "response": "2"}, join_ref="2"),
            reply("3", "room:slow"),
            close("2", "room:slow"),
            reply("33", "room:slow", {"status": "ok", "response": "3"}, join_ref="3"),
        ]


async def test_what_came_before_a_duplicate_join_is_still_the_old_channels(autojump_clock: MockClock) -> None:
    """All in one step, so that the old channel has not run when it is to be replaced."""
    async with wire(ROOMS) as it:
        it.join("room:1")
        await it.hear()
        it.say("1", "2", "room:1", "echo", "last words")
        it.say("1", "3", "room:1", "phx_leave", {})
        it.join("room:1", "4")
        assert await it.hear() == [
            reply("2", "room:1", {"status": "ok", "response": "last words"}, join_ref="1"),
            reply("3", "room:1", join_ref="1"),
            reply("4", "room:1"),
            close("1", "room:1"),
        ]


async def test_a_channel_that_is_busy_does_not_hold_up_its_duplicate(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        it.join("room:1")
        await it.hear()
        it.say("1", "2", "room:1", "hold", 60.0)
        it.say("1", "3", "room:1", "echo", "never heard")
        it.join("room:1", "4")
        assert await it.hear() == [reply("4", "room:1"), close("1", "room:1")]


async def test_the_topic_of_heartbeats_cannot_be_joined(autojump_clock: MockClock) -> None:
    async with wire(channel("*", Room)) as it:
        it.join("phoenix")
        assert await it.hear() == [reply("1", "phoenix", refusal("unmatched topic"), join_ref=None)]
        it.say(None, "2", "phoenix", "heartbeat", {})
        assert await it.hear() == [reply("2", "phoenix", join_ref=None)]


@pytest.mark.parametrize("topic", ["x" * 255, "\u00e9" * 127, "x" * 256, "\u00e9" * 128])
async def test_a_topic_that_no_binary_message_can_carry_cannot_be_joined(autojump_clock: MockClock, topic: str) -> None:
    async with wire(channel("*", Room)) as it:
        it.join(topic)
        fits = len(topic.encode()) <= MAX_TOPIC
        unmatched = reply("1", topic, refusal("unmatched topic"), join_ref=None)
        assert await it.hear() == [reply("1", topic) if fits else unmatched]


class Moody(Channel):
    """Refuses who wants to be refused."""

    async def join(self, topic: str, payload: Payload) -> Error | None:
        return Error({"reason": "moody"}) if payload.get("refuse") else None


def alive(pid: Pid) -> bool:
    """Ask anew each time, which mypy does not know of a property."""
    return pid.alive
