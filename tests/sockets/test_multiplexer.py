"""The life of a topic on one connection, in virtual time: joins, duplicates, time-outs, closes, and their races."""

from __future__ import annotations

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

from phxactor import Channel, Error, Ok, Pid, Shutdown, SocketClose, Stop, channel, monitor, on, trap_exit
from phxactor.channels import Payload
from phxactor.runtime import KILL, receive
from phxactor.socket import Broadcast
from phxactor.socket._backlog import SMALL_WEIGHT
from phxactor.socket._join_acts import DUPLICATE_GRACE, MAX_TOPIC
from phxactor.socket._multiplexer import WAITING
from tests.sockets.serving import complaints
from tests.sockets.wires import (
    Wire,
    close,
    error,
    only_the_connection_is_left,
    refusal,
    reply,
    wire,
    wires,
)


class Room(Channel):
    """Does what the topic and the event say."""

    async def join(self, topic: str, payload: Payload) -> Ok[Payload] | Error | None:
        match topic.removeprefix("room:"):
            case "never":
                await trio.sleep_forever()
            case "slow" | "slow2":
                await trio.sleep(1)
            case "refuse":
                return Error({"reason": "no"})
            case "stubborn":
                trap_exit()
            case "object":
                return Ok(object())
            case "error_object":
                return Error(object())
        return None

    async def handle_info(self, message: object) -> None:
        if isinstance(message, tuple) and message[0] == "hold":
            with trio.CancelScope(shield=True):
                await trio.sleep(message[1])

    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)

    @on("hold")
    async def hold(self, payload: float) -> None:
        await trio.sleep(payload)

    @on("crash")
    async def crash(self, payload: Payload) -> None:
        raise RuntimeError("crashed")

    @on("stop")
    async def end(self, payload: Payload) -> Stop:
        return Stop()


class All(Channel):
    """Says which event came, whatever it was."""

    async def handle_in(self, event: str, payload: Payload) -> Ok[str]:
        return Ok(event)


ROOMS = channel("room:*", Room)


# ---------------------------------------------------------------------------------------------------- time-outs


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


# --------------------------------------------------------------------------------------------------- duplicates


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


# -------------------------------------------------------------------------------------------- while being joined


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


# ------------------------------------------------------------------------------------------------------- limits


async def test_the_limit_counts_what_is_being_joined(autojump_clock: MockClock) -> None:
    async with wire(ROOMS, max_channels=2) as it:
        it.join("room:slow")
        it.join("room:b", "2")
        it.join("room:c", "3")
        it.join("nowhere", "4")
        too_many = refusal("too many channels joined")
        assert await it.hear() == [
            reply("3", "room:c", too_many),
            reply("4", "nowhere", refusal("unmatched topic"), join_ref=None),
            reply("2", "room:b"),
        ]
        it.join("room:b", "5")  # anew, which needs no more room
        assert await it.hear() == [reply("5", "room:b"), close("2", "room:b")]
        it.say("5", "6", "room:b", "phx_leave")
        assert await it.hear() == [reply("6", "room:b", join_ref="5"), close("5", "room:b")]
        it.join("room:c", "7")
        assert await it.hear() == [reply("7", "room:c")]


# ------------------------------------------------------------------------------------------------ closes, ends


async def test_a_close_that_was_told_and_the_end_are_one_close(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        it.join("room:1")
        await it.hear()
        (pid,) = channels(it)
        it.pid.send(SocketClose(pid, "normal"))
        it.pid.send(SocketClose(pid, "normal"))
        assert await it.hear() == [close("1", "room:1")]
        pid.exit("boom")
        assert await it.hear() == []
        it.say("1", "2", "room:1", "echo")
        assert await it.hear() == [reply("2", "room:1", refusal("unmatched topic"), join_ref=None)]


async def test_a_close_from_a_stranger_is_nothing(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        it.join("room:1")
        await it.hear()
        it.pid.send(SocketClose(it.pool, "normal"))
        it.pid.send(SocketClose(it.pid, "normal"))
        assert await it.hear() == []
        assert len(it.mux) == 1


async def test_a_topic_may_be_joined_again_before_its_closed_channel_has_ended(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        it.join("room:stubborn")
        await it.hear()
        (old,) = channels(it)
        it.pid.send(SocketClose(old, "normal"))
        it.join("room:stubborn", "2")
        assert await it.hear() == [close("1", "room:stubborn"), reply("2", "room:stubborn")]
        old.exit(KILL)
        assert await it.hear() == []
        it.say("2", "3", "room:stubborn", "echo", 1)
        assert await it.hear() == [reply("3", "room:stubborn", {"status": "ok", "response": 1}, join_ref="2")]


async def test_a_stop_that_races_a_duplicate_join_is_one_close(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        it.join("room:1")
        await it.hear()
        it.say("1", "2", "room:1", "stop")
        it.join("room:1", "3")
        heard = await it.hear()
        assert sorted(map(str, heard)) == sorted(map(str, [reply("3", "room:1"), close("1", "room:1")]))
        assert len(channels(it)) == 1


async def test_a_crash_that_races_a_duplicate_join_is_a_close(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        it.join("room:1")
        await it.hear()
        (old,) = channels(it)
        old.exit("boom")
        it.join("room:1", "2")
        assert await it.hear() == [reply("2", "room:1"), close("1", "room:1")]


async def test_a_disconnect_ends_the_connection_and_its_channels(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        it.join("room:1")
        await it.hear()
        it.pid.send(Broadcast("some id", "disconnect", {}))
        await it.hear()
        assert it.stopped == [Shutdown("disconnected")]
        assert it.runtime.statistics().processes == 3
        assert it.pubsub.statistics().topics == 0


async def test_what_is_not_for_a_transport_is_dropped(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        for message in ("hello", Broadcast("t", "news", {}), 5, None, ("tuple",)):
            it.pid.send(message)
        assert await it.hear() == []
        assert it.pid.alive


# ------------------------------------------------------------------------------------------------- connections


async def test_connections_do_not_share_channels(autojump_clock: MockClock) -> None:
    async with wires(ROOMS, count=2) as (one, other):
        one.join("room:1")
        other.join("room:1")
        assert await one.hear() == [reply("1", "room:1")]
        one.say("1", "2", "room:1", "crash")
        assert await one.hear() == [error("1", "room:1")]
        other.say("1", "2", "room:1", "echo", 1)
        assert other.heard == [reply("1", "room:1")]
        assert (await other.hear())[1:] == [reply("2", "room:1", {"status": "ok", "response": 1}, join_ref="1")]
        await other.hang_up()
        assert one.runtime.statistics().processes == 4


async def test_the_end_of_a_connection_is_the_end_of_its_channels(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        ended: list[object] = []
        for number in range(10):
            it.join(f"room:{number}", str(number))
        await it.hear()
        for pid in channels(it):
            it.runtime.spawn(watch, pid, ended)
        await it.hear()
        await it.hang_up()
        assert ended == [Shutdown("closed")] * 10
        assert it.runtime.statistics().processes == 3
        assert it.pubsub.statistics().subscribers == 0


async def test_a_join_that_is_answered_after_the_connection_has_gone(autojump_clock: MockClock) -> None:
    async with wire(ROOMS) as it:
        it.join("room:slow")
        await it.hear()
        await it.hang_up()
        await trio.sleep(2)
        await it.hear()
        assert it.runtime.statistics().processes == 3
        assert it.pubsub.statistics().subscribers == 0


async def watch(pid: Pid, ended: list[object]) -> None:
    """Note why a process ends."""
    monitor(pid)
    ended.append(getattr(await receive(), "reason", None))


def channels(it: Wire) -> list[Pid]:
    """List the processes of channels."""
    return [pid for pid in it.runtime.processes.values() if pid.initial_call == "Room"]


def alive(pid: Pid) -> bool:
    """Ask anew each time, which mypy does not know of a property."""
    return pid.alive
