"""Workers: several nodes in one program, over real socket pairs, in virtual time."""

from __future__ import annotations

import socket

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

from phxactor.cluster import new_node
from phxactor.cluster.carriers.workers import Workers
from phxactor.cluster.carriers.workers._frames import FrameKind, decode_lanes, frame
from phxactor.envelope import Kind, Message
from tests.cluster.workers.mesh import GROUP, Member, connect, members, mesh, until
from tests.cluster.workers.puppet import Puppet, lanes_of
from tests.cycles import leaves_no_cycles

pytestmark = pytest.mark.socket


async def watching(topic: str, *watchers: Member) -> None:
    """Have nodes watch a topic, and wait until all others know."""
    for one in watchers:
        one.node.watch("pubsub", topic)
    for one in watchers:
        await one.node.confirmed("pubsub", topic)


async def test_a_broadcast_reaches_the_nodes_that_watch_its_topic_and_no_others(autojump_clock: MockClock) -> None:
    async with mesh(4) as (one, two, three, four):
        await watching("news", two, three)
        for number in range(100):
            one.say("news", b"%d" % number)
        two.say("news", b"from two")
        await until(lambda: len(two.got) == 100 and len(three.got) == 101)
        assert two.payloads() == [b"%d" % number for number in range(100)]
        assert [payload for name, payload in three.got if name == one.name] == two.payloads()
        assert one.got == four.got == []
        assert sorted(name for name, _ in one.came_and_went()) == [two.name, three.name, four.name]


async def test_all_that_is_said_in_a_pass_is_written_at_its_end(autojump_clock: MockClock) -> None:
    async with members(1) as (one,):
        puppet = Puppet(one)
        puppet.put(frame(FrameKind.LIST) + frame(FrameKind.WATCH, 0, b'["pubsub:news"]') + frame(FrameKind.LIST_END))
        await until(lambda: one.workers.count_listed() == 1)
        await puppet.take_for(0.1)
        for _ in range(50):
            one.say("news", b"x" * 100)
        one.node.watch("pubsub", "other")
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        assert len(puppet.sock.recv(2**20)) > 50 * 100  # the peer's socket has it all: none is left for another pass
        assert one.workers.lines[puppet.node.id].outbox.size == 0
        puppet.close()


async def test_messages_of_megabytes_arrive_whole_and_in_order_beside_small_ones(autojump_clock: MockClock) -> None:
    """CL62: frames larger than the socket's buffer, and partial writes."""
    async with mesh(2, max_message_bytes=3 * 2**20) as (one, two):
        await watching("news", one, two)
        sizes = [2**20, 1, 0, 3 * 2**20 - 100, 208 * 1024, 256 * 1024, 65536, 5]
        for number, size in enumerate(sizes):
            one.say("news", bytes([number]) * size)
            two.say("news", bytes([number]) * size)
        wanted = [bytes([number]) * size for number, size in enumerate(sizes)]
        await until(lambda: len(one.got) == len(two.got) == len(sizes))
        assert one.payloads() == two.payloads() == wanted


async def test_a_message_for_one_node_reaches_no_other(autojump_clock: MockClock) -> None:
    async with mesh(3) as (one, two, three):
        message = Message(Kind.BROADCAST, "", "", "", b"for you")
        assert one.node.send(two.node.id, message)
        assert not one.node.send(b"?" * 16, message)
        one.node.publish_to_all(Message(Kind.BROADCAST, "", "", "", b"for all"))
        await until(lambda: len(two.got) == 2 and len(three.got) == 1)
        assert two.payloads() == [b"for you", b"for all"]


# --------------------------------------------------------------------------------------------- interest


async def test_a_topic_is_confirmed_once_every_node_knows_it(autojump_clock: MockClock) -> None:
    """CL15: from then on, what anybody publishes comes."""
    async with members(1) as (one,):
        puppets = [Puppet(one, f"puppet@here/{number}") for number in (1, 2)]
        for puppet in puppets:
            puppet.begin()
        await until(lambda: one.workers.count_listed() == 2)
        for puppet in puppets:
            numbers = [number for kind, number, _ in await puppet.take_for(0.1) if kind == FrameKind.LIST_END]
            puppet.frame(FrameKind.CONFIRM, numbers[0])
        one.node.watch("pubsub", "news")
        one.node.watch("pubsub", "sports")
        for puppet in puppets:
            assert not one.node.is_confirmed("pubsub", "news")
            (watch,) = [got for got in await puppet.take_for(0.1) if got[0] == FrameKind.WATCH]
            assert sorted(decode_lanes(watch[2])) == ["pubsub:news", "pubsub:sports"]
            puppet.frame(FrameKind.CONFIRM, watch[1])
        await until(lambda: one.node.is_confirmed("pubsub", "news"))
        assert one.node.is_confirmed("pubsub", "sports")
        for puppet in puppets:
            puppet.close()


async def test_a_node_that_has_not_confirmed_the_first_list_counts_too(autojump_clock: MockClock) -> None:
    """It may have read it, and serve clients, while its confirmation is on its way."""
    async with members(1) as (one,):
        puppet = Puppet(one)
        await trio.sleep(0.1)
        one.node.watch("pubsub", "before it has said anything")
        await trio.sleep(0.1)
        assert not one.node.is_confirmed("pubsub", "before it has said anything")
        puppet.begin()
        await until(lambda: one.workers.count_listed() == 1)
        one.node.watch("pubsub", "news")
        await trio.sleep(0.1)
        assert not one.node.is_confirmed("pubsub", "news")
        last = max(number for kind, number, _ in puppet.take() if kind == FrameKind.WATCH)
        puppet.frame(FrameKind.CONFIRM, last)
        await until(lambda: one.node.is_confirmed("pubsub", "news"))
        puppet.close()


async def test_a_node_that_dies_or_is_silent_holds_up_no_confirmation(autojump_clock: MockClock) -> None:
    async with members(1) as (one,):
        puppets = [Puppet(one, f"puppet@here/{number}") for number in (1, 2)]
        for puppet in puppets:
            puppet.begin()
            puppet.frame(FrameKind.CONFIRM, 0)
        await until(lambda: one.workers.count_listed() == 2)
        one.node.watch("pubsub", "news")
        await trio.sleep(0.1)
        assert not one.node.is_confirmed("pubsub", "news")
        puppets[0].close()
        await trio.sleep(0.1)
        assert not one.node.is_confirmed("pubsub", "news")
        await trio.sleep(6)
        assert one.node.is_confirmed("pubsub", "news")
        puppets[1].close()


async def test_a_new_line_learns_all_topics_before_it_counts(autojump_clock: MockClock) -> None:
    async with members(2) as (one, two):
        topics = [f"room:{number}" for number in range(30_000)]
        for topic in topics:
            one.node.watch("pubsub", topic)
        await trio.lowlevel.checkpoint()
        connect(one, two)
        await until(lambda: two.workers.count_listed() == 1)
        assert two.workers.lines[one.node.id].lanes == {f"pubsub:{topic}" for topic in topics}
        two.say("room:29999", b"heard")
        await until(lambda: one.payloads() == [b"heard"])


async def test_topics_without_subscribers_are_unwatched(autojump_clock: MockClock) -> None:
    async with mesh(2) as (one, two):
        await watching("news", one)
        line = two.workers.lines[one.node.id]
        assert line.lanes == {"pubsub:news"}
        one.node.unwatch("pubsub", "news")
        await trio.sleep(9.5)  # and no beat is due
        assert line.lanes == set()
        two.say("news", b"nobody")
        assert two.workers.dirty == []


async def test_a_topic_that_is_no_text_disturbs_nobody(autojump_clock: MockClock) -> None:
    async with mesh(2) as (one, two):
        await watching("half \ud800", one)
        await watching("news", one)
        two.say("news", b"x")
        await until(lambda: one.payloads() == [b"x"])


async def test_lanes_may_change_in_the_middle_of_a_long_list(autojump_clock: MockClock) -> None:
    async with members(1) as (one,):
        for number in range(30_000):
            one.node.watch("pubsub", f"room:{number}")
        await trio.lowlevel.checkpoint()
        puppet = Puppet(one)
        await trio.sleep(0.1)  # the socket is full, the list goes on
        for number in range(0, 30_000, 2):
            one.node.unwatch("pubsub", f"room:{number}")
        one.node.watch("pubsub", "new")
        frames = await puppet.take_for(8)
        assert lanes_of(frames) == {f"pubsub:room:{number}" for number in range(1, 30_000, 2)} | {"pubsub:new"}
        puppet.close()


# ----------------------------------------------------------------------------------- as a `Carrier` beside others


async def test_it_covers_the_workers_of_its_parent_and_nobody_else(autojump_clock: MockClock) -> None:
    async with members(1) as (one,):
        assert one.workers.covers(new_node("other", GROUP).id)
        assert not one.workers.covers(new_node("elsewhere").id)


async def test_lines_may_come_before_the_process_starts(autojump_clock: MockClock) -> None:
    late, early = Member(1), Member(2)
    async with trio.open_nursery() as nursery:
        await nursery.start(early.run)
        left, right = socket.socketpair()
        late.workers.add_line(early.node.identity, left)
        assert not late.workers.count_listed()
        await nursery.start(late.run)
        early.workers.add_line(late.node.identity, right)
        await until(lambda: late.workers.count_listed() == early.workers.count_listed() == 1)
        await late.stop()
        await early.stop()


async def test_a_carrier_without_a_line_is_ready(autojump_clock: MockClock) -> None:
    async with members(1) as (one,):
        assert one.node.health().state == "ready"
        one.node.watch("pubsub", "news")
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        assert one.node.is_confirmed("pubsub", "news")
        one.say("news", b"nobody hears")
        assert Workers.name == "workers"


async def test_lines_leave_no_cycles(autojump_clock: MockClock) -> None:
    async with mesh(2) as (one, two):
        await watching("news", two)

        async def come_and_go() -> None:
            puppet = Puppet(one)
            puppet.begin()
            await until(lambda: one.workers.count_listed() == 2)
            one.say("news", b"x")
            puppet.put(b"garbage of thirteen")
            await until(lambda: one.workers.count_listed() == 1)
            puppet.close()
            one.workers.remove_line(puppet.node.id)
            one.told.clear()
            two.got.clear()

        await leaves_no_cycles(come_and_go)
