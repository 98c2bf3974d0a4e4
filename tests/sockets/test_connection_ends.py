"""How many topics there may be, and how channels and their connection end."""

from __future__ import annotations

import trio
import trio.lowlevel
from trio.testing import MockClock

from phxactor import Shutdown, SocketClose
from phxactor.runtime import KILL
from phxactor.socket import Broadcast
from tests.sockets.rooms import ROOMS, channels, watch
from tests.sockets.wires import (
    close,
    error,
    refusal,
    reply,
    wire,
    wires,
)


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
