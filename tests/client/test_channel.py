"""Channels of a client: joins, pushes and their answers."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor.client import (
    Channel,
    ChannelClosed,
    ChannelCrashed,
    JoinError,
    ReplyError,
    Socket,
)
from phxactor.socket import EncodeError, Message
from tests.client.network import call, connected, open_network


# Joins.
async def test_a_join_and_its_answer(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, _):
        peer.responses["room:1"] = {"members": 3}
        room = await socket.join("room:1", {"name": "ada"})
        (join,) = peer.said("phx_join")
        assert (join.topic, join.payload) == ("room:1", {"name": "ada"})
        assert join.ref == join.join_ref
        assert (room.topic, room.response) == ("room:1", {"members": 3})
        assert repr(room) == "<Channel 'room:1'>"


async def test_a_join_that_is_refused(autojump_clock: MockClock) -> None:
    async with open_network() as network, call(network) as socket:
        peer = await network.peer()
        peer.polite.clear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(refused_join, socket)
            await peer.reply(await peer.next(), {"reason": "unauthorized"}, status="error")
        assert socket.statistics().topics == 0
        await trio.sleep(20)
        assert len(peer.said("phx_join")) == 1
        assert peer.said("phx_leave") == []


async def refused_join(socket: Socket) -> None:
    with pytest.raises(JoinError, match=r"joining 'room:1' was refused: {'reason': 'unauthorized'}") as caught:
        await socket.join("room:1")
    assert caught.value.payload == {"reason": "unauthorized"}


async def test_a_join_that_is_not_answered_is_taken_back(autojump_clock: MockClock) -> None:
    async with open_network() as network, call(network) as socket:
        peer = await network.peer()
        peer.polite.clear()
        with pytest.raises(TimeoutError, match="joining 'room:1' was not answered for 10 s"):
            await socket.join("room:1")
        with pytest.raises(TimeoutError, match="was not answered for 2 s"):
            await socket.join("room:2", timeout=2)
        assert trio.current_time() == pytest.approx(12, abs=0.1)
        await wait_all_tasks_blocked()
        joins, leaves = peer.said("phx_join"), peer.said("phx_leave")
        assert [leave.join_ref for leave in leaves] == [join.join_ref for join in joins]
        await peer.reply(joins[0])  # too late
        await peer.reply(await peer.next())
        assert socket.statistics().topics == 0
        peer.polite.add("phx_join")
        await socket.join("room:1")


async def test_a_channel_that_does_not_survive_its_join(autojump_clock: MockClock) -> None:
    async def join(socket: Socket, error: type[Exception]) -> None:
        with pytest.raises(error):
            await socket.join("room:1")

    async with open_network() as network, call(network) as socket:
        peer = await network.peer()
        peer.polite.clear()
        for event, error in (("phx_error", ChannelCrashed), ("phx_close", ChannelClosed)):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(join, socket, error)
                await peer.send("room:1", event, {}, join_ref=(await peer.next()).join_ref)
        assert socket.statistics().topics == 0


async def test_a_topic_is_joined_once(autojump_clock: MockClock) -> None:
    async with connected() as (socket, _, _):
        room = await socket.join("room:1")
        with pytest.raises(ValueError, match="'room:1' has been joined already over this socket; leave it first"):
            await socket.join("room:1")
        with pytest.raises(ValueError, match="max_queued must be at least 1, not 0"):
            await socket.join("room:2", max_queued=0)
        await room.leave()
        await socket.join("room:1")


async def test_a_payload_that_cannot_be_written_is_refused(autojump_clock: MockClock) -> None:
    async with connected() as (socket, _, _):
        with pytest.raises(EncodeError):
            await socket.join("room:1", {"set": {1}})
        room = await socket.join("room:1")
        for send in (room.push, room.cast):
            with pytest.raises(EncodeError, match="event 'echo' on topic 'room:1'"):
                await send("echo", object())
        assert room.statistics().awaited == 0


# Pushes and replies.
async def test_replies_find_their_push_in_any_order(autojump_clock: MockClock) -> None:
    replies = {}
    async with connected() as (socket, peer, _):
        room = await socket.join("room:1")

        async def push(number: int) -> None:
            replies[number] = await room.push("echo", {"n": number})

        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(push, number)
            for message in reversed([await peer.next() for _ in range(10)]):
                await peer.reply(message, message.payload)
    assert replies == {number: {"n": number} for number in range(10)}


async def test_a_second_reply_and_one_that_nobody_waits_for_are_dropped(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, _):
        room = await socket.join("room:1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(room.push, "echo")
            first = await peer.next()
            await peer.reply(first, {"n": 1})
            await peer.reply(first, {"n": 2})
        await room.cast("shout")
        await peer.reply(await peer.next(), {"n": 3})
        await peer.send("room:1", "phx_reply", {"status": "ok", "response": {}})
        await peer.send("room:other", "news", {})
        await peer.send("room:1", "news", {})
        assert await anext(room) == Message("room:1", "news", {})


async def test_a_reply_that_is_not_ok(autojump_clock: MockClock) -> None:
    async def push(room: Channel, status: str) -> None:
        why = f"'echo' on 'room:1' was answered with {status}: {{'a': 1}}"
        with pytest.raises(ReplyError, match=why) as caught:
            await room.push("echo")
        assert (caught.value.status, caught.value.payload) == (status, {"a": 1})

    async with connected() as (socket, peer, _):
        room = await socket.join("room:1")
        for status in ("error", "maybe"):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(push, room, status)
                await peer.reply(await peer.next(), {"a": 1}, status)


async def test_a_push_that_is_not_answered(autojump_clock: MockClock) -> None:
    async with connected(timeout=4) as (socket, peer, _):
        room = await socket.join("room:1")
        with pytest.raises(TimeoutError, match="'echo' on 'room:1' was not answered within 4 s"):
            await room.push("echo")
        with pytest.raises(TimeoutError, match=r"within 0\.5 s"):
            await room.push("echo", timeout=0.5)
        assert trio.current_time() == pytest.approx(4.5, abs=0.1)
        assert room.statistics().awaited == 0
        await peer.reply(await peer.next())  # too late


async def test_no_payload_is_an_empty_map(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, _):
        room = await socket.join("room:1")
        await room.cast("a")
        await room.cast("b", 0)
        await room.cast("c", [])
        assert [(await peer.next()).payload for _ in range(3)] == [{}, 0, []]
        assert peer.said("phx_join")[0].payload == {}


async def test_binary_both_ways(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, _):
        room = await socket.join("room:1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(binary_push, room)
            message = await peer.next()
            assert message == Message("room:1", "up", b"\0\xff", message.ref, peer.said("phx_join")[0].join_ref)
            fields = [str(field).encode() for field in (message.join_ref, message.ref, "room:1", "ok")]
            await peer.websocket.send_message(b"".join((bytes((1, *map(len, fields))), *fields, b"\1\2")))
        await peer.websocket.send_message(b"\x02\x06\x04room:1news\3\4")
        assert await anext(room) == Message("room:1", "news", b"\3\4")


async def binary_push(room: Channel) -> None:
    assert await room.push("up", b"\0\xff") == b"\1\2"
