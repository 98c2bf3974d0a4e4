from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor.client import (
    Channel,
    ChannelClosed,
    ChannelCrashed,
    Errored,
    JoinError,
    Overflow,
    ReplyError,
    Socket,
    Status,
)
from phxactor.socket import EncodeError, Message
from tests.client.network import Peer, call, connected, open_network


async def collect(room: Channel) -> list[tuple[str, object]]:
    return [(message.event, message.payload) async for message in room]


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


async def expect(room: Channel, error: type[Exception]) -> None:
    with pytest.raises(error):
        await room.push("echo")


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
