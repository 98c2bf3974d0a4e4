"""Nodes that are silent for a while: down, up again with one gap, and judged by nobody who was stopped itself."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from phxactor.cluster.carriers.workers._frames import FrameKind
from phxactor.envelope import Kind, Message
from tests.cluster.workers.mesh import members, until
from tests.cluster.workers.puppet import Puppet, seen

pytestmark = pytest.mark.socket

MESSAGE = Message(Kind.BROADCAST, "pubsub", "news", "said", b"{}")


async def test_a_silent_node_is_down_and_comes_back_with_one_gap(autojump_clock: MockClock) -> None:
    async with members(1) as (one,):
        puppet = Puppet(one)
        await seen(one, puppet)
        beats = [kind for kind, _, _ in await puppet.take_for(4.5)].count(FrameKind.BEAT)
        assert beats == 4
        assert one.came_and_went() == [(puppet.node.name, "up")]
        await puppet.take_for(1.5)
        assert one.came_and_went()[1:] == [(puppet.node.name, "silent")]
        one.node.publish_to_all(MESSAGE)
        one.node.publish_to_all(MESSAGE)
        assert not one.node.send(puppet.node.id, MESSAGE)
        lost = [got for got in await puppet.take_for(1.5) if got[0] in (FrameKind.MESSAGE, FrameKind.BEAT)]
        assert set(lost) == {(FrameKind.BEAT, 0, b"")}  # it is told of the loss at once, and once, when it is heard
        assert one.node.statistics().carriers["workers"].dropped == 2
        puppet.frame(FrameKind.BEAT, 0)
        await until(lambda: len(one.told) == 4)
        assert one.came_and_went()[2:] == [(puppet.node.name, "up")]
        assert one.gaps() == [puppet.node.name]
        one.node.publish_to_all(MESSAGE)
        told = [(kind, number) for kind, number, _ in await puppet.take_for(0.5)]
        assert told == [(FrameKind.BEAT, 2), (FrameKind.MESSAGE, 3)]
        puppet.close()


async def test_NO6_data_is_a_sign_of_life_as_a_beat_is(autojump_clock: MockClock) -> None:
    """NO6: a large message that takes its time is no dead node."""
    async with members(1) as (one,):
        puppet = Puppet(one)
        await seen(one, puppet)
        message = puppet.message(bytes(1000))
        for start in range(0, len(message), 50):
            puppet.put(message[start : start + 50])
            await puppet.take_for(2)
        assert one.payloads() == [bytes(1000)]
        assert one.came_and_went() == [(puppet.node.name, "up")]
        puppet.close()


async def test_NO12_after_a_pause_of_its_own_a_node_judges_nobody(still_clock: MockClock) -> None:
    """NO12: SIGSTOP for 20 s. What has come meanwhile is handled, and only then is it time to judge."""
    async with members(1) as (one,):
        talks = Puppet(one, "talks@here")
        await seen(one, talks)
        is_dead = Puppet(one, "dead@here")
        await seen(one, is_dead)
        still_clock.jump(1)
        await until(lambda: FrameKind.BEAT in [kind for kind, _, _ in talks.take()])
        talks.put(b"".join(talks.message(b"%d" % number) for number in range(5)))
        still_clock.jump(20)
        await until(lambda: len(one.got) == 5)
        await until(lambda: FrameKind.BEAT in [kind for kind, _, _ in talks.take()])
        assert [said for _, said in one.came_and_went()] == ["up", "up"]
        for _ in range(6):
            talks.frame(FrameKind.BEAT, 5)
            still_clock.jump(1)
            await until(lambda: FrameKind.BEAT in [kind for kind, _, _ in talks.take()])
        assert one.came_and_went()[2:] == [("dead@here", "silent")]
        assert one.gaps() == []
        talks.close()
        is_dead.close()
