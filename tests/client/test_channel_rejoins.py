"""A client's channels that join again, and that leave."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor.client import (
    Channel,
    ChannelClosed,
    ChannelCrashed,
    Errored,
    Status,
)
from tests.client.channel_answers import collect, expect
from tests.client.network import Peer, call, connected, open_network


# Crashes.
async def test_a_crash_fails_what_was_pushed_and_the_topic_is_joined_again(autojump_clock: MockClock) -> None:
    statuses: list[Status] = []
    async with connected(on_status=statuses.append) as (socket, peer, _):
        room = await socket.join("room:1")
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(expect, room, ChannelCrashed)
            for _ in range(3):
                await peer.next()
            await crash(peer)
        crashed = trio.current_time()
        assert (await anext(room)).event == "phx_join"
        assert trio.current_time() - crashed == pytest.approx(1)
        first, second = peer.said("phx_join")
        assert first.join_ref != second.join_ref
        (told,) = [status for status in statuses if isinstance(status, Errored)]
        assert (told.topic, type(told.error), told.retry_after) == ("room:1", ChannelCrashed, 1.0)
        assert socket.statistics().connections == 1


async def crash(peer: Peer) -> None:
    await peer.send("room:1", "phx_error", {}, join_ref=peer.said("phx_join")[-1].join_ref)


async def test_rejoins_are_tried_after_1_2_5_and_10_seconds(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, _):
        await socket.join("room:1")
        peer.polite.discard("phx_join")
        await crash(peer)
        started, tried = trio.current_time(), []
        for _ in range(6):
            join = await peer.next()
            tried.append(round(trio.current_time() - started))
            await peer.reply(join, {"reason": "join crashed"}, status="error")
        assert tried == [1, 3, 8, 18, 28, 38]


async def test_a_rejoin_that_succeeded_begins_the_back_off_anew(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, _):
        room = await socket.join("room:1")
        for _ in range(3):
            await crash(peer)
            await anext(room)
        assert trio.current_time() == pytest.approx(3, abs=0.1)


async def test_a_rejoin_that_is_not_answered_is_taken_back_and_tried_again(autojump_clock: MockClock) -> None:
    statuses: list[Status] = []
    async with connected(on_status=statuses.append) as (socket, peer, _):
        room = await socket.join("room:1", timeout=3)
        peer.polite -= {"phx_join", "phx_leave"}
        await crash(peer)
        join, leave, again = await peer.next(), await peer.next(), await peer.next()
        assert (join.event, leave.event, again.event) == ("phx_join", "phx_leave", "phx_join")
        assert leave.join_ref == join.join_ref != again.join_ref
        assert trio.current_time() == pytest.approx(1 + 3 + 2, abs=0.1)
        await peer.reply(join)  # too late
        await peer.reply(again)
        await anext(room)
        assert room.statistics().joins == 2
    errors = [type(status.error) for status in statuses if isinstance(status, Errored)]
    assert errors == [ChannelCrashed, TimeoutError]


async def test_a_new_connection_does_not_wait_for_the_back_off(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, network):
        room = await socket.join("room:1")
        peer.polite.discard("phx_join")
        await crash(peer)
        for _ in range(3):
            await peer.reply(await peer.next(), {}, status="error")
        await trio.sleep(1)
        await peer.hang_up()
        dropped = trio.current_time()
        await anext(room)
        assert trio.current_time() - dropped < 0.1
        assert (await network.peer()).said("phx_join")


async def test_a_push_waits_for_the_rejoin_and_may_wait_in_vain(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, _):
        peer.polite.add("echo")
        room = await socket.join("room:1")
        await crash(peer)
        await wait_all_tasks_blocked()
        assert await room.push("echo") == {}
        assert trio.current_time() == pytest.approx(1, abs=0.1)
        peer.polite.discard("phx_join")
        await crash(peer)
        await wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(not_joined, room)
            await peer.reply(await peer.next(), {"reason": "closed for today"}, status="error")


async def not_joined(room: Channel) -> None:
    with pytest.raises(TimeoutError, match=r"not sent within 2.5 s: it was not joined .*closed for today"):
        await room.push("echo", timeout=2.5)


async def test_a_crash_that_comes_with_the_answer_of_the_join_is_not_overlooked(autojump_clock: MockClock) -> None:
    async with open_network() as network, call(network) as socket:
        peer = await network.peer()
        peer.polite.clear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(socket.join, "room:1")
            join = await peer.next()
            await peer.reply(join)
            await crash(peer)
        assert (await peer.next()).event == "phx_join"


async def test_a_payload_that_cannot_be_made_again_is_one_more_try(autojump_clock: MockClock) -> None:
    results = iter([{"n": 1}, None, {"n": 3}])

    async def payload() -> object:
        if (result := next(results)) is None:
            raise LookupError("no ticket")
        return result

    statuses: list[Status] = []
    async with connected(on_status=statuses.append) as (socket, peer, _):
        room = await socket.join("room:1", payload)
        await crash(peer)
        await anext(room)
        assert [join.payload for join in peer.said("phx_join")] == [{"n": 1}, {"n": 3}]
    assert [type(status.error) for status in statuses if isinstance(status, Errored)] == [ChannelCrashed, LookupError]


# Leaving.
async def test_leaving_waits_for_the_answer_and_ends_the_iteration(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, _):
        peer.polite.discard("phx_leave")
        room = await socket.join("room:1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(room.leave)
            leave = await peer.next()
            assert (leave.event, leave.join_ref) == ("phx_leave", peer.said("phx_join")[0].join_ref)
            await wait_all_tasks_blocked()
            with pytest.raises(ChannelClosed):
                await room.push("echo")
            with pytest.raises(ValueError, match="leave it first"):
                await socket.join("room:1")
            await peer.send("room:1", "last", {})
            await peer.reply(leave)
            await peer.send("room:1", "phx_close", {}, ref=leave.join_ref, join_ref=leave.join_ref)
        assert await collect(room) == [("last", {})]
        await room.leave()
        assert len(peer.said("phx_leave")) == 1
        assert socket.statistics().topics == 0


async def test_a_leave_that_is_not_answered_is_one_all_the_same(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, network):
        peer.polite.discard("phx_leave")
        room = await socket.join("room:1")
        await room.leave()
        assert trio.current_time() == pytest.approx(10, abs=0.1)
        other = await socket.join("room:2")
        with trio.move_on_after(2):
            await other.leave()
        assert socket.statistics().topics == 0
        third = await socket.join("room:3")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(third.leave)
            await wait_all_tasks_blocked()
            await peer.hang_up()
        again = await network.peer()
        await trio.sleep(20)
        assert again.said("phx_join") == []


async def test_leaving_while_there_is_no_connection(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, network):
        room = await socket.join("room:1")
        await peer.hang_up()
        await wait_all_tasks_blocked()
        await room.leave()
        assert await collect(room) == []
        again = await network.peer()
        await trio.sleep(20)
        assert again.said("phx_join") == []


async def test_leaving_in_the_middle_of_a_rejoin_takes_it_back(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, _):
        room = await socket.join("room:1")
        peer.polite.discard("phx_join")
        await crash(peer)
        join = await peer.next()
        await room.leave()
        await wait_all_tasks_blocked()
        assert [leave.join_ref for leave in peer.said("phx_leave")] == [join.join_ref]
        assert await collect(room) == []
