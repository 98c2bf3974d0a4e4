"""Peering: what a parent says on the control line becomes lines to other workers, and broadcasts."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from trio.testing import MockClock

from phxactor.cluster.carriers.workers import (
    ControlLine,
    DescriptorsLostError,
    Gone,
    LineLost,
    Peer,
    Peering,
    Publish,
    control_pair,
)
from phxactor.envelope import Kind, Message, encode
from tests.cluster.workers.mesh import Member, members, until

pytestmark = pytest.mark.socket


@attrs.frozen
class Parent:
    """A parent of two workers, as far as these tests need one."""

    members: list[Member]
    lines: list[ControlLine]
    peerings: list[Peering]

    def pair(self) -> None:
        """Hand a new pair to both."""
        ends = socket.socketpair()
        for member, other, peering, end in zip(self.members, reversed(self.members), self.peerings, ends, strict=True):
            identity = other.node.identity
            peering.take(Peer(node=identity.id, name=identity.name, descriptors=(end.detach(),)))
            assert member.workers.lines[identity.id].node.name == other.name


@asynccontextmanager
async def parent() -> AsyncIterator[Parent]:
    """Run two workers, their clocks jump."""
    async with members(2) as both:
        pairs = [control_pair(), control_pair()]
        ours = [ControlLine(one) for one, _ in pairs]
        theirs = [ControlLine(other) for _, other in pairs]
        peerings = [Peering(member.workers, line, member.pid) for member, line in zip(both, theirs, strict=True)]
        yield Parent(both, ours, peerings)
        for line in (*ours, *theirs):
            line.close()


async def test_a_worker_waits_for_its_first_lines(autojump_clock: MockClock) -> None:
    async with parent() as it:
        one, two = it.members
        it.pair()
        assert await it.peerings[0].wait(1)
        assert await it.peerings[1].wait(1)
        assert [node.name for node in one.node.nodes()] == [two.name]
        assert not await it.peerings[0].wait(2, seconds=0.01)
        assert await it.peerings[0].wait(0)


async def test_a_line_that_broke_is_asked_for_and_begins_with_a_gap(autojump_clock: MockClock) -> None:
    async with parent() as it:
        one, two = it.members
        it.pair()
        await until(lambda: one.workers.count_listed() == two.workers.count_listed() == 1)
        raw, other = socket.socketpair()  # garbage comes on the line of `one`
        one.workers.lines[two.node.id].close()
        one.workers.lines.clear()
        one.workers.add_line(two.node.identity, other)
        raw.send(b"garbage that is long enough for a head")
        await until(lambda: not one.workers.lines)
        raw.close()
        assert await it.lines[0].receive() == LineLost(node=two.node.id)
        assert await it.lines[1].receive() == LineLost(node=one.node.id)
        it.pair()
        it.pair()  # a parent may answer both
        await until(lambda: one.workers.count_listed() == two.workers.count_listed() == 1)
        assert one.node.statistics().carriers["workers"].refused == {"frame": 1}
        assert two.gaps() == [one.name]
        assert two.came_and_went() == [(one.name, "up"), (one.name, "lost"), (one.name, "up")]
        with trio.move_on_after(0.2) as limit:
            await it.lines[0].receive()
        assert limit.cancelled_caught  # nothing more is asked for


async def test_a_worker_that_is_gone_is_not_asked_for(autojump_clock: MockClock) -> None:
    async with parent() as it:
        one, two = it.members
        it.pair()
        await it.peerings[0].wait(1)
        await two.stop()
        it.peerings[0].take(Gone(node=two.node.id))
        it.peerings[0].take(Gone(node=two.node.id))
        assert one.workers.lines == {}
        assert one.came_and_went()[-1][0] == two.name
        with trio.move_on_after(1.5) as limit:
            await it.lines[0].receive()
        assert limit.cancelled_caught


async def test_a_peer_whose_descriptor_was_lost_is_asked_for_again(autojump_clock: MockClock) -> None:
    async with parent() as it:
        node = b"n" * 16
        it.peerings[0].missed(DescriptorsLostError(Peer(node=node, name="other")))
        assert await it.lines[0].receive() == LineLost(node=node)


async def test_a_broadcast_of_the_command_line_reaches_this_node_and_others(autojump_clock: MockClock) -> None:
    async with parent() as it:
        one, two = it.members
        it.pair()
        two.node.watch("pubsub", "news")
        await until(lambda: "pubsub:news" in one.workers.lines[two.node.id].lanes if one.workers.lines else False)
        it.peerings[0].take(Publish(message=encode(Message(Kind.BROADCAST, "pubsub", "news", "said", b"{}"))))
        it.peerings[0].take(Publish(message=b"garbage"))
        await until(lambda: bool(two.got))
        assert one.got == [("", b"{}")]
        assert two.got == [(one.name, b"{}")]
        assert one.node.statistics().carriers["workers"].refused == {"version": 1}
