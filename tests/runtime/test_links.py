from __future__ import annotations

from contextvars import Context
from functools import partial
from itertools import pairwise

import pytest

from phxactor.runtime import (
    KILL,
    KILLED,
    NOPROC,
    NORMAL,
    SHUTDOWN,
    Crash,
    Down,
    Exited,
    NoProcessError,
    Pid,
    events,
    link,
    monitor,
    open_runtime,
    receive,
    self_pid,
    spawn,
    spawn_link,
    trap_exit,
    unlink,
)
from phxactor.testing import settle
from tests.runtime.actors import Actor, actors, emitted, ended, idle, leave, port_actor, reason


async def linked(*, trap: bool = False) -> tuple[Actor, Actor]:
    """Make two actors with a link, of which the second may trap exits."""
    one, other = Actor(), Actor(trap=trap)
    await settle()
    await one.do(link, other.pid)
    return one, other


async def test_X1_a_link_takes_me_down_with_the_same_reason_hop_by_hop() -> None:
    async with open_runtime():
        chain = await actors(5)
        for one, other in pairwise(chain):
            await one.do(link, other.pid)
        await chain[0].end(leave, ("boom", 1))
        assert [reason(actor.pid) for actor in chain] == [("boom", 1)] * 5


async def test_X1_a_crash_is_the_very_same_reason_for_all() -> None:
    async with open_runtime():
        one, other = await linked()
        crash = await one.end(lambda: 1 // 0)
        assert isinstance(crash, Crash)
        assert reason(other.pid) is crash


async def test_X2_a_normal_end_leaves_me_alone_and_the_link_is_gone() -> None:
    async with open_runtime():
        one, other = await linked()
        await one.end(leave, NORMAL)
        assert other.pid.alive
        assert not other.pid.links


@pytest.mark.parametrize("why", [NORMAL, SHUTDOWN, "boom", KILL, NOPROC])
async def test_X3_who_traps_gets_any_end_as_a_message(why: str) -> None:
    async with open_runtime():
        one, other = await linked(trap=True)
        await one.end(leave, why)
        assert other.mail == [Exited(one.pid, why)]


async def test_X4_a_normal_signal_from_another_is_ignored() -> None:
    async with open_runtime():
        one, other = await actors(2)
        await one.do(other.pid.exit, NORMAL)
        assert other.pid.alive
        assert other.mail == []


async def test_X4_normal_is_recognized_by_value_and_any_value_can_be_a_reason() -> None:
    class Incomparable:
        def __eq__(self, other: object) -> bool:
            raise ValueError("neither equal nor different")

        def __repr__(self) -> str:
            raise ValueError("cannot be shown")

        __hash__ = None  # type: ignore[assignment]

    async with open_runtime():
        one, other = await linked()
        one.pid.exit("NORMAL".lower())
        await settle()
        assert one.pid.alive
        why = Incomparable()
        one.pid.exit(why)
        await settle()
        assert reason(one.pid) is why
        assert reason(other.pid) is why


@pytest.mark.parametrize("why", [NORMAL, SHUTDOWN, "boom"])
async def test_X5_X6_who_traps_gets_signals_as_messages_from_anybody(why: str) -> None:
    async with open_runtime():
        stranger, trapping = Actor(), Actor(trap=True)
        await settle()
        await stranger.do(trapping.pid.exit, why)
        assert trapping.mail == [Exited(stranger.pid, why)]


@pytest.mark.parametrize("trap", [False, True])
async def test_X7_kill_cannot_be_refused(trap: bool) -> None:
    async with open_runtime():
        actor = Actor(trap=trap)
        await settle()
        actor.pid.exit(KILL)
        await settle()
        assert reason(actor.pid) == KILLED
        assert actor.mail == []


async def test_X7_kill_is_recognized_by_value() -> None:
    async with open_runtime():
        actor = Actor(trap=True)
        await settle()
        actor.pid.exit("KILL".lower())
        await settle()
        assert reason(actor.pid) == KILLED


async def test_X8_killed_is_trappable() -> None:
    async with open_runtime():
        one, other = await linked(trap=True)
        third = Actor()
        await settle()
        await third.do(link, other.pid)
        one.pid.exit(KILL)
        await settle()
        assert other.mail == [Exited(one.pid, KILLED)]
        assert third.pid.alive


async def test_X10_links_are_both_ways_and_single() -> None:
    async with open_runtime():
        one, other = await linked(trap=True)
        await one.do(link, other.pid)
        await other.do(link, one.pid)
        assert list(one.pid.links or ()) == [other.pid]
        assert list(other.pid.links or ()) == [one.pid]
        await one.end(leave, "boom")
        assert other.mail == [Exited(one.pid, "boom")]


async def test_X11_a_link_to_oneself_does_nothing() -> None:
    async def body() -> None:
        link(self_pid())
        assert not self_pid().links

    async with open_runtime():
        assert await ended(body) == NORMAL


async def test_X12_who_traps_gets_noproc_from_a_dead_process() -> None:
    async with open_runtime():
        dead, trapping = Actor(), Actor(trap=True)
        await settle()
        await dead.end(leave, "boom")
        await trapping.do(link, dead.pid)
        assert trapping.mail == [Exited(dead.pid, NOPROC)]


async def test_X13_linking_a_dead_process_raises() -> None:
    async def body(dead: Pid) -> None:
        with pytest.raises(NoProcessError, match="ended"):
            link(dead)

    async with open_runtime():
        (dead,) = await actors(1)
        await dead.end(leave, "boom")
        assert await ended(body, dead.pid) == NORMAL


@pytest.mark.parametrize("trap", [False, True])
async def test_X14_TM16_a_link_after_the_signal_answers_noproc(trap: bool) -> None:
    async with open_runtime():
        victim, late = Actor(), Actor(trap=trap)
        await settle()

        def kill_and_link() -> None:
            victim.pid.exit(KILL)
            link(victim.pid)

        late.pid.send("before")
        await late.do(kill_and_link) if trap else await late.end(kill_and_link)
        assert reason(victim.pid) == KILLED
        if trap:
            assert late.mail == ["before", Exited(victim.pid, NOPROC)]
        else:
            assert reason(late.pid) == NOPROC


async def test_X14_a_link_from_before_the_signal_keeps_its_reason() -> None:
    async with open_runtime():
        one, other = await linked(trap=True)

        def kill_and_link() -> None:
            one.pid.exit(KILL)
            link(one.pid)

        await other.do(kill_and_link)
        assert other.mail == [Exited(one.pid, KILLED)]


@pytest.mark.parametrize("by", [0, 1])
async def test_X15_X18_either_side_can_unlink_for_both(by: int) -> None:
    async with open_runtime():
        pair = await linked(trap=True)
        await pair[by].do(unlink, pair[1 - by].pid)
        await pair[0].end(leave, "boom")
        assert pair[1].mail == []


async def test_X16_unlink_leaves_a_message_that_has_come() -> None:
    async def body(flush: bool, kept: list[object]) -> None:
        trap_exit()
        pid = spawn_link(leaver)
        await settle()
        self_pid().send("after")
        unlink(pid, flush=flush)
        kept += list(self_pid().mailbox)

    async def leaver() -> None:
        leave("boom")

    async with open_runtime():
        for flush, expected in ((False, [Exited, str]), (True, [str])):
            kept: list[object] = []
            spawn(body, flush, kept)
            await settle()
            await settle()
            assert [type(message) for message in kept] == expected


async def test_X17_unlinking_the_dead_or_unlinked_is_no_error() -> None:
    async with open_runtime():
        one, other = await actors(2)
        await one.do(unlink, other.pid)
        await other.end(leave, NORMAL)
        await one.do(unlink, other.pid)


async def test_X19_trapping_counts_when_the_signal_comes() -> None:
    steps: list[object] = []

    async def body(dying: Actor) -> None:
        steps.append(trap_exit())
        link(dying.pid)
        dying.pid.exit("boom")
        await settle()
        steps.append(trap_exit(False))
        steps.append(await receive())

    async with open_runtime():
        (dying,) = await actors(1)
        assert await ended(body, dying) == NORMAL
        assert steps == [False, True, Exited(dying.pid, "boom")]


async def test_X19_trapping_too_late_does_not_help() -> None:
    async def body() -> None:
        Context().run(self_pid().exit, "boom")  # a signal by somebody else, while it runs
        trap_exit()

    async with open_runtime():
        assert await ended(body) == "boom"


async def test_X1_X20_all_of_a_cycle_die_and_each_is_told_once() -> None:
    async with open_runtime():
        ring = await actors(4)
        for one, other in zip(ring, [*ring[1:], ring[0]], strict=True):
            await one.do(link, other.pid)
        watcher = Actor(trap=True)
        await settle()
        for actor in ring:
            await watcher.do(link, actor.pid)
        await ring[0].end(leave, "boom")
        assert [reason(actor.pid) for actor in ring] == ["boom"] * 4
        assert sorted(watcher.mail, key=lambda message: message.pid.number) == [  # type: ignore[attr-defined]
            Exited(actor.pid, "boom") for actor in ring
        ]


@pytest.mark.parametrize("link_first", [False, True])
async def test_X21_the_exit_comes_before_the_down(link_first: bool) -> None:
    async with open_runtime():
        observed, observer = Actor(), Actor(trap=True)
        await settle()
        if link_first:
            await observer.do(link, observed.pid)
        ref = await observer.do(monitor, observed.pid)
        if not link_first:
            await observer.do(link, observed.pid)
        await observed.end(leave, "boom")
        assert observer.mail == [Exited(observed.pid, "boom"), Down(ref, observed.pid, "boom")]


async def test_TM17_TM42_links_are_told_in_the_order_in_which_they_were_made() -> None:
    heard: list[int] = []
    async with open_runtime():
        (one,) = await actors(1)
        for number in range(10):
            listener = await port_actor(partial(_note, heard, number), trap=True)
            await one.do(link, listener.pid)
        await one.end(leave, "boom")
    assert heard == list(range(10))


async def test_TM17_a_long_chain_of_links_does_not_recurse() -> None:
    async with open_runtime() as runtime:
        last = spawn(idle)
        await settle()
        first = last
        for _ in range(2000):
            last = spawn(_linked_to, last)
        await settle()
        assert len(runtime.processes) == 2002
        first.exit("boom")
        await settle()
        assert last.exit_reason == "boom"
        assert len(runtime.processes) == 1


async def test_links_are_told_of_by_events() -> None:
    async with open_runtime():
        with emitted(events.linked) as made, emitted(events.unlinked) as removed:
            one, other = await linked()
            await one.do(unlink, other.pid)
        assert made == removed == [{"pid": one.pid, "other": other.pid}]


def _note(heard: list[int], number: int, _: object) -> None:
    heard.append(number)


async def _linked_to(pid: Pid) -> None:
    link(pid)
    await receive()
