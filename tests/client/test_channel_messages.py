"""Messages of a client's channels: their order, their end, and what is kept of them."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor.client import (
    ChannelClosed,
    Overflow,
)
from tests.client.channel_answers import collect, expect
from tests.client.network import connected


# Iteration.
async def test_messages_come_in_order_and_on_their_topic(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, _):
        rooms = [await socket.join(f"room:{n}") for n in range(2)]
        for n in range(10):
            await peer.send(f"room:{n % 2}", "news", n)
        await wait_all_tasks_blocked()
        for room in rooms:
            await room.leave()
        assert [payload for _, payload in await collect(rooms[0])] == [0, 2, 4, 6, 8]
        assert [payload for _, payload in await collect(rooms[1])] == [1, 3, 5, 7, 9]


async def test_what_is_about_an_older_join_is_dropped(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, network):
        room = await socket.join("room:1")
        old = peer.said("phx_join")[0].join_ref
        await peer.hang_up()
        again = await network.peer()
        await anext(room)
        new = again.said("phx_join")[0].join_ref
        for event in ("news", "phx_error", "phx_close"):
            await again.send("room:1", event, {}, join_ref=old)
        await again.send("room:1", "current", 1, join_ref=new)
        await again.send("room:1", "broadcast", 2)
        assert [(await anext(room)).payload for _ in range(2)] == [1, 2]
        assert room.statistics().stale == 3
        assert room.statistics().joined


async def test_phx_close_ends_the_iteration_and_fails_pushes(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, network):
        room = await socket.join("room:1")
        join_ref = peer.said("phx_join")[0].join_ref
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect, room, ChannelClosed)
            await peer.next()
            await peer.send("room:1", "last", {})
            await peer.send("room:1", "phx_close", {}, join_ref=join_ref)
        assert await collect(room) == [("last", {})]
        assert await collect(room) == []
        for send in (room.push, room.cast):
            with pytest.raises(ChannelClosed, match="the channel of 'room:1' is closed"):
                await send("echo")
        await room.leave()
        await peer.hang_up()
        again = await network.peer()
        await trio.sleep(20)
        assert again.said("phx_join") == []
        await socket.join("room:1")


async def test_the_newest_messages_are_kept_and_the_loss_is_told(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, _):
        room = await socket.join("room:1", max_queued=3)
        for n in range(10):
            await peer.send("room:1", "news", n)
        await wait_all_tasks_blocked()
        assert room.statistics().queued == 3
        with pytest.raises(Overflow, match="7 messages on 'room:1' were dropped"):
            await anext(room)
        assert [(await anext(room)).payload for _ in range(3)] == [7, 8, 9]
        await peer.send("room:1", "news", 10)
        assert (await anext(room)).payload == 10
        assert room.statistics().lost == 7


async def test_who_pushes_while_messages_come_gets_his_reply(autojump_clock: MockClock) -> None:
    """Whoever iterates is not the one who reads the connection."""
    async with connected() as (socket, peer, _):
        room = await socket.join("room:1", max_queued=3)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(room.push, "echo")
            message = await peer.next()
            for n in range(100):
                await peer.send("room:1", "news", n)
            await peer.reply(message)
