"""The end of a node and of its line: after a goodbye, after none, and when the parent says that it is gone."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from phxactor.cluster import Gap
from phxactor.cluster.carriers.workers import _lines_process
from phxactor.cluster.carriers.workers._frames import FrameKind, encode_lanes
from phxactor.envelope import Kind, Message, lane_of
from phxactor.runtime import KILL
from tests.cluster.workers.mesh import Member, members, until
from tests.cluster.workers.puppet import Puppet, seen

pytestmark = pytest.mark.socket

MESSAGE = Message(Kind.BROADCAST, "pubsub", "news", "said", b"{}")


async def left(member: Member, puppet: Puppet) -> None:
    """Have a puppet say goodbye, and wait until that is known."""
    puppet.frame(FrameKind.GOODBYE)
    await until(lambda: member.workers.lines[puppet.node.id].has_left)


async def closed(member: Member, puppet: Puppet) -> None:
    """Close the line of a puppet, and wait until that is known."""
    puppet.close()
    await until(lambda: puppet.node.id not in member.workers.lines)


async def test_after_its_goodbye_a_node_says_nothing_and_stays_down(autojump_clock: MockClock) -> None:
    async with members(1) as (one,):
        puppet = Puppet(one)
        await seen(one, puppet)
        puppet.put(puppet.message(b"before"))
        await left(one, puppet)
        puppet.put(puppet.message(b"after"))
        puppet.frame(FrameKind.BEAT, 2)
        await puppet.take_for(1)
        assert one.payloads() == [b"before"]
        assert one.came_and_went() == [(puppet.node.name, "up"), (puppet.node.name, "left")]
        puppet.close()


async def test_a_node_that_has_left_is_told_nothing_and_holds_up_no_confirmation(autojump_clock: MockClock) -> None:
    async with members(1) as (one,):
        puppet = Puppet(one)
        await seen(one, puppet)
        puppet.frame(FrameKind.WATCH, 0, encode_lanes([lane_of("pubsub", "news")]))
        await left(one, puppet)
        await puppet.take_for(0.1)
        one.node.publish(MESSAGE)
        one.node.publish_to_all(MESSAGE)
        assert not one.node.send(puppet.node.id, MESSAGE)
        one.node.watch("pubsub", "news")
        assert one.node.is_confirmed("pubsub", "news")
        assert FrameKind.MESSAGE not in [kind for kind, _, _ in await puppet.take_for(0.1)]
        assert one.node.statistics().carriers["workers"].dropped == 0, "there is nobody who could miss it"
        puppet.close()


async def test_a_new_line_begins_with_a_gap_only_after_one_that_broke(autojump_clock: MockClock) -> None:
    async with members(1) as (one,):
        puppet = Puppet(one)
        await seen(one, puppet)
        await left(one, puppet)
        await closed(one, puppet)
        again = Puppet(one, identity=puppet.node)
        await seen(one, again)
        assert one.gaps() == []
        heard = trio.current_time()
        await trio.sleep(2)
        await closed(one, again)
        await trio.sleep(1)
        third = Puppet(one, identity=puppet.node)
        await seen(one, third)
        await until(lambda: bool(one.gaps()))
        (gap,) = [told for told in one.told if isinstance(told, Gap)]
        assert gap.since == heard, "what it said since it was heard last may be missing"
        one.workers.remove_line(puppet.node.id)
        fourth = Puppet(one, identity=puppet.node)
        await seen(one, fourth)
        third.close()
        assert len(one.gaps()) == 1, "the parent had called it gone: this is another node"
        fourth.close()


async def test_after_a_crash_of_the_process_all_since_a_node_was_heard_may_be_missing(
    autojump_clock: MockClock,
) -> None:
    async with members(1) as (one,):
        puppet = Puppet(one)
        await seen(one, puppet)
        heard = trio.current_time()
        await trio.sleep(2)
        one.process().exit(KILL)
        await trio.sleep(1)
        puppet.frame(FrameKind.BEAT, 0)
        await until(lambda: bool(one.gaps()))
        assert [told.since for told in one.told if isinstance(told, Gap)] == [heard]
        puppet.close()


@pytest.mark.parametrize(("how", "lost"), [("breaks", 1), ("leaves", 0), ("is gone", 0)])
async def test_a_new_line_is_asked_for_only_if_one_broke(autojump_clock: MockClock, how: str, lost: int) -> None:
    async with members(1) as (one,):
        told: list[bytes] = []
        one.workers.on_lost = told.append
        puppet = Puppet(one)
        await seen(one, puppet)
        if how == "leaves":
            await left(one, puppet)
        if how == "is gone":
            one.workers.remove_line(puppet.node.id)
        await closed(one, puppet)
        assert told == [puppet.node.id] * lost


async def test_a_node_that_is_gone_is_heard_to_its_end(autojump_clock: MockClock) -> None:
    async with members(1) as (one,):
        puppet = Puppet(one)
        await seen(one, puppet)
        puppet.put(b"".join(puppet.message(b"%d" % number) for number in range(300)))
        one.workers.remove_line(puppet.node.id)
        assert one.payloads() == [b"%d" % number for number in range(300)]
        puppet.close()


async def test_what_one_turn_does_not_handle_is_handled_in_the_next(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_lines_process, "TURN", 0.0)
    async with members(1) as (one,):
        puppet = Puppet(one)
        await seen(one, puppet)
        puppet.put(b"".join(puppet.message(b"%d" % number) for number in range(20)))
        before = trio.current_time()
        await until(lambda: len(one.got) == 20)
        assert trio.current_time() == before
        puppet.close()


async def test_a_confirmation_is_never_taken_back(autojump_clock: MockClock) -> None:
    async with members(1) as (one,):
        puppet = Puppet(one)
        await seen(one, puppet)
        for topic in "ab":
            one.node.watch("pubsub", topic)
            await puppet.take_for(0.1)
        puppet.frame(FrameKind.CONFIRM, 2)
        await until(lambda: one.node.is_confirmed("pubsub", "b"))
        puppet.frame(FrameKind.CONFIRM, 1)
        await until(lambda: puppet.node.id not in one.workers.lines)
        assert one.node.statistics().carriers["workers"].refused == {"frame": 1}
        puppet.close()
