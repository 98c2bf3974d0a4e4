"""Whoever waits may be cancelled at any moment, and nothing of him stays behind."""

from __future__ import annotations

import gc
import warnings
from functools import partial

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor.client import Channel, ChannelClosed, Socket
from phxactor.client._websocket import WAITING
from phxactor.socket import Message
from tests.client.network import Network, Peer, call, connected, open_network


async def test_a_push_that_is_cancelled_awaits_no_reply(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, _):
        room = await socket.join("room:1")
        for seconds in (0, 1):
            with trio.move_on_after(seconds) as scope:
                await room.push("echo")
            assert scope.cancelled_caught
            assert room.statistics().awaited == 0
        message = await peer.next()
        await peer.reply(message)
        peer.polite.add("echo")
        assert await room.push("echo") == {}


async def test_a_push_that_is_cancelled_while_it_waits_for_a_connection_is_never_sent(
    autojump_clock: MockClock,
) -> None:
    async with connected() as (socket, peer, network):
        room = await socket.join("room:1")
        network.answers += [OSError()] * 5
        await peer.hang_up()
        await wait_all_tasks_blocked()
        with trio.move_on_after(0.1):
            await room.push("echo")
        assert room.statistics().awaited == 0
        again = await network.peer()
        await anext(room)
        await trio.sleep(5)
        assert again.said("echo") == []


async def test_a_join_that_is_cancelled_is_taken_back(autojump_clock: MockClock) -> None:
    async with open_network() as network:
        network.polite.discard("phx_join")
        async with call(network) as socket:
            peer = await network.peer()
            with trio.move_on_after(1):
                await socket.join("room:1")
            assert socket.statistics().topics == 0
            await wait_all_tasks_blocked()
            (leave,) = peer.said("phx_leave")
            join = await peer.next()
            assert leave.join_ref == join.join_ref
            await peer.reply(join)  # too late
            peer.polite.add("phx_join")
            room = await socket.join("room:1")
            assert (room.statistics().joins, room.statistics().stale) == (1, 1)


async def test_a_join_that_is_cancelled_before_it_was_sent_says_nothing(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, network):
        network.answers += [OSError()] * 5
        await peer.hang_up()
        await wait_all_tasks_blocked()
        with trio.move_on_after(0.1):
            await socket.join("room:1")
        with trio.move_on_after(0.1):
            await socket.join("room:2", partial(trio.sleep, 1))
        assert socket.statistics().topics == 0
        again = await network.peer()
        await trio.sleep(5)
        assert again.log == []


async def test_an_iteration_that_is_cancelled_loses_nothing(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, _):
        room = await socket.join("room:1")
        for n in range(20):
            with trio.move_on_after(1):
                await anext(room)
            await peer.send("room:1", "news", n)
            assert await anext(room) == Message("room:1", "news", n)


async def test_a_block_that_is_cancelled_says_goodbye_all_the_same(autojump_clock: MockClock) -> None:
    async with open_network() as network:
        with trio.move_on_after(5) as scope:
            async with call(network) as socket:
                await socket.join("room:1")
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert trio.current_time() == pytest.approx(5, abs=0.1)
        peer = await network.peer()
    assert len(peer.said("phx_leave")) == 1
    assert peer.close_code == 1000


async def test_a_server_that_does_not_answer_the_close_is_not_waited_for_long(autojump_clock: MockClock) -> None:
    async with open_network() as network:
        async with call(network) as socket:
            await socket.join("room:1")
            await wait_all_tasks_blocked()
            network.client_streams[0].send_stream.send_all_hook = trio.sleep_forever
        assert trio.current_time() == pytest.approx(2, abs=0.1)


async def test_all_that_is_left_of_a_socket_says_that_it_is_closed(autojump_clock: MockClock) -> None:
    async with open_network() as network:
        async with call(network) as socket:
            room = await socket.join("room:1")
            peer = await network.peer()
            await peer.send("room:1", "last", {})
            await wait_all_tasks_blocked()
        assert [message.event async for message in room] == ["last"]
        for send in (room.push, room.cast):
            with pytest.raises(ChannelClosed):
                await send("echo")
        await room.leave()
        with pytest.raises(trio.ClosedResourceError, match=r"the block of its connect\(\) has been left"):
            await socket.join("room:2")
        assert (socket.statistics().topics, socket.statistics().connected) == (0, False)


async def test_those_who_wait_when_the_block_ends_are_told(autojump_clock: MockClock) -> None:
    async def fails(call: object, error: type[Exception]) -> None:
        with pytest.raises(error):
            await call  # type: ignore[misc] # a coroutine

    async def ends(room: Channel) -> None:
        assert [message async for message in room] == []

    async with open_network() as network, trio.open_nursery() as nursery, call(network) as socket:
        room = await socket.join("room:1")
        (await network.peer()).polite.clear()
        nursery.start_soon(fails, room.push("echo"), ChannelClosed)
        nursery.start_soon(fails, socket.join("room:2"), ChannelClosed)
        nursery.start_soon(fails, socket.join("room:3", partial(trio.sleep, 1)), ChannelClosed)
        nursery.start_soon(ends, room)
        await wait_all_tasks_blocked()
    async with open_network() as network, trio.open_nursery() as nursery, call(network) as socket:
        room = await socket.join("room:1")
        network.answers += [OSError()] * 100
        await (await network.peer()).hang_up()
        await wait_all_tasks_blocked()
        nursery.start_soon(fails, room.push("echo"), ChannelClosed)
        nursery.start_soon(fails, socket.join("room:2"), trio.ClosedResourceError)
        nursery.start_soon(ends, room)
        await wait_all_tasks_blocked()


async def test_nothing_is_left_behind(autojump_clock: MockClock) -> None:
    before = trio.lowlevel.current_statistics().tasks_living

    async def use(socket: Socket, peer: Peer, network: Network) -> None:
        room = await socket.join("room:1")
        await socket.join("room:2")
        with trio.move_on_after(1):
            await room.push("echo")
        await peer.hang_up()
        await network.peer()

    async with connected() as connection:
        await use(*connection)
    await wait_all_tasks_blocked()
    assert trio.lowlevel.current_statistics().tasks_living == before
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


# A connection that takes what is written slowly, or not at all.


class Valve:
    """Holds back what a client writes while it is shut."""

    def __init__(self, network: Network) -> None:
        self._open = trio.Event()
        network.client_streams[-1].send_stream.send_all_hook = self._open.wait

    def open(self) -> None:
        self._open.set()


async def test_what_waits_to_be_written_is_bounded(autojump_clock: MockClock) -> None:
    async with connected() as (socket, peer, network):
        room = await socket.join("room:1")
        valve = Valve(network)
        for n in range(WAITING + 1):  # one of them is being written
            await room.cast("shout", n)
        for send in (room.push, room.cast):
            with pytest.raises(TimeoutError, match="not sent within 3 s: too many messages are unwritten"):
                await send("shout", -1, timeout=3)
        assert socket.statistics().unwritten == WAITING
        async with trio.open_nursery() as nursery:
            nursery.start_soon(room.cast, "shout", WAITING + 1)
            await wait_all_tasks_blocked()
            valve.open()
        assert [(await peer.next()).payload for _ in range(WAITING + 2)] == list(range(WAITING + 2))


async def test_a_push_that_is_cancelled_in_the_middle_of_its_frame_leaves_no_half_of_it(
    autojump_clock: MockClock,
) -> None:
    async with connected() as (socket, peer, network):
        room = await socket.join("room:1")
        valve = Valve(network)
        for n in range(3):
            with trio.move_on_after(1):
                await room.push("echo", n)
        valve.open()
        await room.cast("shout", 3)
        assert [(await peer.next()).payload for _ in range(4)] == [0, 1, 2, 3]
        assert len(network.calls) == 1


async def test_a_connection_that_takes_nothing_is_ended_by_its_heartbeat(autojump_clock: MockClock) -> None:
    async with connected() as (socket, _, network):
        room = await socket.join("room:1")
        Valve(network)
        for n in range(WAITING + 1):
            await room.cast("shout", n)
        await room.cast("shout", "at last", timeout=100)
        assert trio.current_time() == pytest.approx(60, abs=0.1)
        again = await network.peer()
        assert (await again.next()).payload == "at last"
