"""Faults of lines: processes that end, stop, do not read, or send garbage. Over socket pairs, in virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import MockClock

from phxactor.cluster.carriers.workers._frames import HEAD, FrameKind, frame
from phxactor.cluster.carriers.workers._outbox import MAX_BYTES
from phxactor.envelope import Kind, Message
from phxactor.runtime import KILL
from tests.cluster.workers.mesh import members, mesh, until
from tests.cluster.workers.puppet import Puppet, lanes_of, seen

pytestmark = pytest.mark.socket

MUCH = 300 * 1024
"""Bytes of a message that no socket buffer takes at once."""


MESSAGE = Message(Kind.BROADCAST, "pubsub", "news", "said", b"{}")


def large(size: int) -> Message:
    """Return a message with so many bytes of payload."""
    return Message(Kind.BROADCAST, "pubsub", "news", "said", bytes(size))


def descriptors() -> int:
    """Count the open files of this program."""
    return len(list(Path("/proc/self/fd").iterdir()))


# ------------------------------------------------------------------------------------------------ ends


async def test_a_process_killed_in_mid_frame_loses_only_what_it_had_not_sent_whole(autojump_clock: MockClock) -> None:
    async with members(1) as (one,):
        puppet = Puppet(one)
        await seen(one, puppet)
        whole = b"".join(puppet.message(b"%d" % number) for number in range(10))
        puppet.put(whole + puppet.message(bytes(1000))[:-1])
        puppet.close()
        await until(lambda: not one.workers.lines)
        assert one.payloads() == [b"%d" % number for number in range(10)]
        assert one.came_and_went() == [(puppet.node.name, "up"), (puppet.node.name, "lost")]
        assert one.gaps() == []


async def test_writing_to_a_process_that_was_killed_loses_nothing_that_it_had_sent(autojump_clock: MockClock) -> None:
    """The write fails before the read has come to the end: what waits in the socket is handled all the same."""
    async with members(1) as (one,):
        puppet = Puppet(one)
        await seen(one, puppet)
        puppet.put(b"".join(puppet.message(b"%d" % number) for number in range(10)))
        puppet.close()
        one.node.publish_to_all(MESSAGE)
        one.workers.flush()
        assert one.workers.lines[puppet.node.id].broken
        await until(lambda: not one.workers.lines)
        assert one.payloads() == [b"%d" % number for number in range(10)]


async def test_a_node_that_ends_in_order_says_goodbye_after_all_that_it_has_said(autojump_clock: MockClock) -> None:
    async with mesh(3) as (one, two, three):
        two.node.watch("pubsub", "news")
        await two.node.confirmed("pubsub", "news")
        for _ in range(20):
            one.say("news", bytes(MUCH))
        await one.stop()
        await until(lambda: len(two.came_and_went()) == len(three.came_and_went()) == 3)
        assert two.came_and_went()[-1] == three.came_and_went()[-1] == (one.name, "left")
        assert [len(payload) for payload in two.payloads()] == [MUCH] * 20
        two.say("news", b"to nobody")
        assert two.gaps() == three.gaps() == []
        await until(lambda: len(two.workers.lines) == 1)
        assert two.node.statistics().carriers["workers"].dropped == 0


async def test_a_node_that_ends_waits_a_second_for_one_that_does_not_read(autojump_clock: MockClock) -> None:
    async with members(1) as (one,):
        puppet = Puppet(one)
        await seen(one, puppet)
        for _ in range(10):
            one.node.publish_to_all(large(MUCH))
        began = autojump_clock.current_time()
        await one.stop()
        assert autojump_clock.current_time() - began == pytest.approx(1, abs=0.1)
        puppet.close()


# ------------------------------------------------------------------------------------ those who do not read


async def test_a_node_that_does_not_read_costs_a_bounded_amount_and_learns_what_it_missed(
    autojump_clock: MockClock,
) -> None:
    async with members(1) as (one,):
        puppet = Puppet(one)
        await seen(one, puppet)
        sent = 3 * MAX_BYTES // MUCH
        line = one.workers.lines[puppet.node.id]
        for _ in range(sent):
            one.node.publish_to_all(large(MUCH))
            one.workers.flush()
            assert line.outbox.size <= MAX_BYTES + 13
        dropped = one.node.statistics().carriers["workers"].dropped
        assert sent / 2 < dropped < sent
        numbers = [got[1] for got in await puppet.take_for(2) if got[0] in (FrameKind.MESSAGE, FrameKind.BEAT)]
        assert numbers == sorted(numbers)
        assert numbers[-1] == sent
        assert line.outbox.size == 0
        puppet.close()


async def test_a_member_that_missed_messages_tells_one_gap(autojump_clock: MockClock) -> None:
    async with members(1) as (one,):
        puppet = Puppet(one)
        await seen(one, puppet)
        puppet.put(puppet.message(b"one"))
        puppet.number += 3
        puppet.put(puppet.message(b"five") + puppet.message(b"six"))
        puppet.frame(FrameKind.BEAT, 6)
        await until(lambda: len(one.got) == 3)
        assert one.gaps() == [puppet.node.name]
        puppet.frame(FrameKind.BEAT, 8)  # two at the end of the traffic
        await until(lambda: len(one.gaps()) == 2)
        puppet.number = 8
        puppet.put(puppet.message(b"nine"))
        await until(lambda: len(one.got) == 4)
        assert len(one.gaps()) == 2
        puppet.close()


async def test_lanes_reach_a_node_that_does_not_read_for_long(autojump_clock: MockClock) -> None:
    """They are state, not messages: none is lost, and what waits is bounded."""
    async with members(1) as (one,):
        puppet = Puppet(one)
        await seen(one, puppet)
        line = one.workers.lines[puppet.node.id]
        for number in range(1000):
            one.node.publish_to_all(large(MUCH))
            topics = [f"{number}:{each}:{'x' * 100}" for each in range(50)]
            one.workers.watch([f"pubsub:{topic}" for topic in topics])
            one.workers.unwatch([f"pubsub:{topic}" for topic in topics])
            one.workers.flush()
            assert line.outbox.size + line.told.size <= MAX_BYTES + 2 * 1024 * 1024
        one.node.watch("pubsub", "last")
        frames = await puppet.take_for(3)
        assert lanes_of(frames) == {"pubsub:last"}
        puppet.close()


# --------------------------------------------------------------------------------------------- garbage


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
        HEAD.pack(2**32 - 1, FrameKind.MESSAGE, 1),
        frame(FrameKind.MESSAGE, 0),
        frame(FrameKind.MESSAGE, 2) + frame(FrameKind.MESSAGE, 2),
        frame(FrameKind.BEAT, 5) + frame(FrameKind.BEAT, 4),
        frame(FrameKind.CONFIRM, 77),
        frame(FrameKind.LIST_END, 0),
        frame(FrameKind.LIST) + frame(FrameKind.UNWATCH, 0, b"[]"),
        frame(FrameKind.WATCH, 1, b"{}"),
        frame(FrameKind.WATCH, 1, b"\xff"),
    ],
)
async def test_garbage_ends_the_line_and_nothing_else(autojump_clock: MockClock, garbage: bytes) -> None:
    async with mesh(2) as (one, two):
        two.node.watch("pubsub", "news")
        puppet = Puppet(one)
        await seen(one, puppet)
        puppet.put(garbage)
        await until(lambda: puppet.node.id not in one.workers.lines)
        await until(puppet.is_cut_off)
        assert one.node.statistics().carriers["workers"].refused["frame"] == 1
        assert one.came_and_went()[-1] == (puppet.node.name, "lost")
        one.say("news", b"all is well")
        await until(lambda: two.payloads() == [b"all is well"])
        puppet.close()


async def test_a_message_above_the_limit_is_skipped_and_told_as_a_gap(autojump_clock: MockClock) -> None:
    """Old and new workers of a reload may have different limits: the line goes on."""
    async with members(1, max_message_bytes=1024) as (one,):
        puppet = Puppet(one)
        await seen(one, puppet)
        await puppet.put_all(puppet.message(b"before") + puppet.message(bytes(2**20)) + puppet.message(b"after"))
        await until(lambda: len(one.got) == 2)
        assert one.payloads() == [b"before", b"after"]
        assert one.gaps() == [puppet.node.name]
        assert one.node.statistics().carriers["workers"].refused == {"size": 1}
        puppet.close()


async def test_garbage_in_a_message_is_refused_and_the_line_goes_on(autojump_clock: MockClock) -> None:
    async with members(1) as (one,):
        puppet = Puppet(one)
        await seen(one, puppet)
        puppet.frame(FrameKind.MESSAGE, 1, b"\x07garbage")
        puppet.frame(FrameKind.MESSAGE, 2, b"")
        puppet.number = 2
        puppet.put(puppet.message(b"well"))
        await until(lambda: one.payloads() == [b"well"])
        assert one.gaps() == []
        puppet.close()


# ------------------------------------------------------------------------------- crashes of the process


async def test_lines_outlive_a_crash_of_the_process_with_a_gap_here_and_none_there(autojump_clock: MockClock) -> None:
    async with mesh(2) as (one, two):
        for member in (one, two):
            member.node.watch("pubsub", "news")
            await member.node.confirmed("pubsub", "news")
        one.process().exit(KILL)
        two.say("news", b"meanwhile")
        await until(lambda: one.payloads() == [b"meanwhile"])
        one.say("news", b"after")
        await until(lambda: two.payloads() == [b"after"])
        assert one.came_and_went() == [(two.name, "up"), (two.name, "lost"), (two.name, "up")]
        assert one.gaps() == [two.name]
        assert two.came_and_went() == [(one.name, "up")]
        assert two.gaps() == []


async def test_a_handler_that_raises_ends_nothing(autojump_clock: MockClock) -> None:
    async with mesh(2) as (one, two):
        one.node.watch("pubsub", "news")
        await one.node.confirmed("pubsub", "news")

        def explode(*_: object) -> None:
            raise ValueError("on purpose")

        one.node.unhandle(2, one.take)
        one.node.handle(2, explode)
        two.say("news", b"boom")
        two.say("news", b"boom")
        await until(lambda: one.node.statistics().carriers["workers"].received == 2)
        assert one.came_and_went() == [(two.name, "up")]


# ------------------------------------------------------------------------------------------------ leaks


async def test_lines_leave_no_descriptors(autojump_clock: MockClock) -> None:
    async with mesh(2) as (one, _):
        before = descriptors()
        for _ in range(50):
            puppet = Puppet(one)
            puppet.begin()
            one.node.publish_to_all(large(MUCH))
            await until(lambda puppet=puppet: puppet.node in one.node.nodes())  # type: ignore[misc]
            again = Puppet(one, identity=puppet.node)  # a second line replaces the first
            assert puppet.is_cut_off() or one.workers.lines[puppet.node.id].fileno > 0
            puppet.close()
            again.close()
            await until(lambda: len(one.workers.lines) == 1)
        assert descriptors() == before
        assert len(one.workers.dirty) <= 1
