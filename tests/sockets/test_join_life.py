"""Every cell of the table of a join's life, played with real pools and channels: what is heard, what is left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
import trio
from trio.testing import MockClock

from phxactor import Error, Message, Ok, Shutdown
from phxactor.otp import IGNORE
from phxactor.runtime import Exited
from phxactor.socket._join_acts import DUPLICATE_GRACE
from phxactor.socket._join_table import TABLE, Act, Event, Phase, cell
from tests.sockets.puppets import (
    JOIN_TIMEOUT,
    PHASES,
    Heard,
    Puppet,
    Stage,
    nothing_is_left,
    overflow,
    pool_dies,
    staged,
    tell,
)

# ----------------------------------------------------------------------------------------------- the events


async def unrouted(stage: Stage) -> None:
    stage.it.say(stage.join_ref, "7", "nowhere", "phx_join")


async def timeout(stage: Stage) -> None:
    await trio.sleep((DUPLICATE_GRACE if stage.phase() is Phase.REPLACING else JOIN_TIMEOUT) + 1)


def now(action: Callable[[Stage], object]) -> Callable[[Stage], Awaitable[None]]:
    """Make an event of what is done at once."""

    async def happen(stage: Stage) -> None:
        action(stage)

    return happen


def done(action: Callable[[Puppet], object]) -> Callable[[Stage], Awaitable[None]]:
    """Make an event of what the channel's process does."""
    return now(lambda stage: stage.puppet.do(lambda: action(stage.puppet)))


def _answer(value: object) -> Callable[[Puppet], object]:
    return lambda puppet: puppet.from_.reply(value)


by_hand: Final = done(tell)

EVENTS: Final[dict[tuple[Event, str], Callable[[Stage], Awaitable[None]]]] = {
    (Event.JOIN, ""): now(lambda stage: stage.say("phx_join")),
    (Event.LEAVE, ""): now(lambda stage: stage.say("phx_leave")),
    (Event.PUSH, ""): now(lambda stage: stage.say("push")),
    (Event.OVERFLOW, ""): overflow,
    (Event.UNROUTED, ""): unrouted,
    (Event.NAMED, ""): now(lambda stage: stage.puppet.start()),
    (Event.NOT_STARTED, "error"): now(lambda stage: stage.puppet.start(Error("failed"))),
    (Event.NOT_STARTED, "ignored"): now(lambda stage: stage.puppet.start(IGNORE)),
    (Event.NOT_STARTED, "raised"): now(lambda stage: stage.puppet.start(Error("raises"))),
    (Event.NOT_STARTED, "pool died"): pool_dies,
    (Event.OK, ""): done(_answer(Ok())),
    (Event.OK, "by another process"): now(lambda stage: stage.puppet.from_.reply(Ok())),
    (Event.REFUSAL, ""): done(_answer(Error({"reason": "no"}))),
    (Event.UNWRITABLE, "ok"): done(_answer(Ok(object()))),
    (Event.UNWRITABLE, "error"): done(_answer(Error(object()))),
    (Event.CLOSE, ""): done(lambda puppet: puppet.socket.close(Shutdown("left"))),
    (Event.CLOSE, "by hand"): by_hand,
    **{
        (Event.DOWN, str(reason)): now(lambda stage, reason=reason: stage.puppet.end(reason))  # type: ignore[misc]
        for reason in ("normal", "shutdown", Shutdown("left"), "boom")
    },
    (Event.DOWN, "killed"): now(lambda stage: stage.puppet.be_killed()),
    (Event.DOWN, "raised"): done(lambda _: 1 // 0),
    (Event.TIMEOUT, ""): timeout,
    (Event.OLD_DOWN, ""): now(lambda stage: stage.puppet.end("boom")),
    (Event.DISCONNECT, ""): now(lambda stage: stage.it.pid.send("hang up")),
}

CANNOT_COME: Final = {
    # A topic without a join has no channel and no pool, and what ends with it.
    *((Phase.NONE, event) for event in Event if event not in (Event.JOIN, Event.LEAVE, Event.PUSH, Event.UNROUTED)),
    # Only what waits can be too much, and only a topic's first join is looked up.
    *((phase, Event.OVERFLOW) for phase in (Phase.JOINED, Phase.ENDED, Phase.GIVEN_UP)),
    *((phase, Event.UNROUTED) for phase in Phase if phase is not Phase.ASKED),
    # A pool answers once, and is not asked before the replaced channel has exited.
    *(
        (phase, event)
        for phase in (Phase.REPLACING, Phase.NAMED, Phase.NAMED_CLOSING, Phase.JOINED)
        for event in (Event.NAMED, Event.NOT_STARTED)
    ),
    # Nobody can answer for a channel that is not there yet.
    *((Phase.REPLACING, event) for event in (Event.OK, Event.REFUSAL, Event.UNWRITABLE, Event.DOWN)),
    # A channel is monitored from when it is named, until its join is over.
    *((phase, Event.DOWN) for phase in (Phase.ASKED, Phase.ANSWERED, Phase.ASKED_CLOSING)),
    *((phase, Event.OLD_DOWN) for phase in Phase if phase is not Phase.REPLACING),
    # The client's messages are not for a join that is over: its topic has none, or another.
    *((phase, event) for phase in (Phase.ENDED, Phase.GIVEN_UP) for event in (Event.JOIN, Event.LEAVE, Event.PUSH)),
}
"""Cells that need not be played, and why; the table has none of them."""


def test_no_cell_is_left_out() -> None:
    assert {(phase, event) for phase in Phase for event in TABLE[phase]} & CANNOT_COME == set()
    assert {event for event, _ in EVENTS} == set(Event)
    assert set(PHASES) == set(Phase)


JOIN_REF: Final = "<join ref>"
"""The ref of a push, which has none in version 1."""

HEARD: Final[dict[Act, Heard]] = {
    Act.LEFT: [("7", "ok")],
    Act.UNMATCHED: [("7", "error: unmatched topic")],
    Act.OVERFULL: [("7", "error: too many messages before the join was answered")],
    Act.ANSWER: [("1", "ok")],
    Act.ACCEPT: [("1", "ok")],
    Act.ANSWER_CLOSED: [("1", "ok"), (JOIN_REF, "phx_close")],
    Act.REFUSE: [("1", "error: no")],
    Act.FAIL: [("1", "error: join crashed")],
    Act.EXPIRE: [("1", "error: join timed out")],
    Act.PUSH_CLOSE: [(JOIN_REF, "phx_close")],
    Act.PUSH_ERROR: [(JOIN_REF, "phx_error")],
}
"""What the client hears of an act; of any other, nothing."""
KILLS: Final = {Act.KILL, Act.KILL_OLD}
CHANNEL_NAMED: Final = {Phase.NAMED, Phase.NAMED_CLOSING}
KILLS_NAMED: Final = {Act.FAIL, Act.EXPIRE}
"""Acts that kill a channel that is named, and alive."""
OVER: Final = {Phase.ENDED, Phase.GIVEN_UP}


def cases() -> list[Any]:
    return [
        pytest.param(phase, event, happen, id=" ".join(filter(None, (phase.name, event.name, how))))
        for phase in Phase
        for (event, how), happen in EVENTS.items()
        if (phase, event) not in CANNOT_COME
    ]


@pytest.mark.parametrize("vsn", [1, 2])
@pytest.mark.parametrize(("phase", "event", "happen"), cases())
async def test_a_cell(
    phase: Phase, event: Event, happen: Callable[[Stage], Awaitable[None]], vsn: int, autojump_clock: MockClock
) -> None:
    async with staged(vsn) as stage:
        await PHASES[phase](stage)
        await stage.hear()
        assert stage.phase() is phase
        await happen(stage)
        heard = await stage.hear()

        after, act = cell(phase, event)
        if happen is by_hand and phase is Phase.ASKED:  # it is known by its answer, or once it is named
            after = Phase.ASKED
        if act is Act.KILL_OLD:
            after, _ = cell(phase, Event.OLD_DOWN)  # it follows
        assert heard == [(stage.join_ref if ref is JOIN_REF else ref, what) for ref, what in HEARD.get(act, [])]
        if event is Event.UNROUTED:
            assert len(stage.it.mux) == 1
        elif after in OVER and phase is Phase.JOINED:
            assert event is Event.DISCONNECT or len(stage.it.mux) == 0
        else:
            assert stage.phase() is after
        kills = act in KILLS or (phase in CHANNEL_NAMED and act in KILLS_NAMED and event is not Event.DOWN)
        assert stage.was_killed() is kills
        if act is Act.SHUT_DOWN:
            assert stage.puppet.got == [Exited(stage.it.pid, Shutdown("closed"))]
        if act is Act.DELIVER:
            assert [type(one) for one in stage.puppet.got] == [Message]
        if after in OVER and event is not Event.UNROUTED:
            await nothing_is_left(stage)
