from __future__ import annotations

import math

import orjson
import pytest
import trio
from trio.testing import MockClock

from phxactor.client import Disconnected, Status
from phxactor.socket import TEXT, Message
from phxactor.transport import frame
from tests.client.network import connected


async def test_a_heartbeat_every_30_seconds(autojump_clock: MockClock) -> None:
    async with connected() as (_, peer, network):
        await trio.sleep(95)
        beats = peer.said("heartbeat")
        assert [(beat.topic, beat.payload, beat.join_ref) for beat in beats] == [("phoenix", {}, None)] * 3
        assert len({beat.ref for beat in beats}) == 3
        assert len(network.calls) == 1


async def test_a_missed_one_ends_the_connection(autojump_clock: MockClock) -> None:
    """A half-open connection: nothing comes, and nothing says that it is broken."""
    statuses: list[Status] = []
    async with connected(on_status=statuses.append) as (socket, peer, network):
        room = await socket.join("room:1")
        peer.polite.clear()
        await peer.next()
        assert trio.current_time() == pytest.approx(30, abs=0.1)
        again = await network.peer()
        assert trio.current_time() == pytest.approx(60, abs=0.1)
        assert (await anext(room)).event == "phx_join"
        await trio.sleep(45)
        assert len(again.said("heartbeat")) == 1
    lost = statuses[3]
    assert isinstance(lost, Disconnected)
    assert "no answer to a heartbeat within 30 s" in str(lost.error)
    assert lost.error.args[0] == 1006


async def test_an_answer_that_takes_its_time_is_one(autojump_clock: MockClock) -> None:
    async with connected() as (_, peer, network):
        peer.polite.clear()
        beat = await peer.next()
        await trio.sleep(29)
        await peer.reply(beat)
        beat = await peer.next()
        assert trio.current_time() == pytest.approx(30 + 29 + 30, abs=0.1)
        await peer.reply(beat)
        assert len(network.calls) == 1


async def test_other_messages_are_no_answer(autojump_clock: MockClock) -> None:
    async with connected() as (_, peer, network):
        peer.polite.clear()
        beat = await peer.next()
        await peer.reply(beat.__class__("phoenix", "heartbeat", {}, "another"))
        await peer.send("room:1", "news", {})
        await network.peer()
        assert trio.current_time() == pytest.approx(60, abs=0.1)


async def test_the_interval_is_an_option(autojump_clock: MockClock) -> None:
    async with connected(heartbeat=5) as (_, peer, _):
        await trio.sleep(26)
        assert len(peer.said("heartbeat")) == 5
    async with connected(heartbeat=math.inf) as (_, peer, _):
        await trio.sleep(80_000)
        assert peer.log == []


async def test_a_push_on_a_half_open_connection_times_out_and_a_later_one_gets_through(
    autojump_clock: MockClock,
) -> None:
    async with connected() as (socket, peer, network):
        room = await socket.join("room:1")
        peer.polite.clear()
        with pytest.raises(TimeoutError, match="'echo' on 'room:1' was not answered within 10 s"):
            await room.push("echo")
        network.polite.add("echo")
        await network.peer()
        assert await room.push("echo") == {}


async def test_after_a_pause_of_our_own_an_answer_that_waits_is_read_first(autojump_clock: MockClock) -> None:
    for _ in range(5):  # the order of tasks in one pass is random
        async with connected() as (socket, peer, network):
            room = await socket.join("room:1")
            peer.polite.clear()
            beat = await peer.next()
            await trio.sleep(29)
            incoming = network.client_streams[0].receive_stream
            incoming.put_data(reply_to(beat))
            autojump_clock.jump(5)
            await trio.sleep(20)
            assert len(network.calls) == 1
            async with trio.open_nursery() as nursery:
                nursery.start_soon(room.push, "echo")
                await trio.sleep(9)
                incoming.put_data(reply_to(peer.said("echo")[0]))
                autojump_clock.jump(5)


def reply_to(message: Message) -> bytes:
    """Make the frame of an answer, as a server sends it."""
    reply = [message.join_ref, message.ref, message.topic, "phx_reply", {"status": "ok", "response": {}}]
    return frame(TEXT, orjson.dumps(reply))
