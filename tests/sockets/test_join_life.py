"""Every cell of the table of a join's life, played with real pools and channels: what is heard, what is left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Final, TypeAlias

import attrs
import pytest
import trio
from trio.testing import MockClock

from phxactor import Error, Exit, Message, Ok, Pid, Shutdown, SocketClose, channel, self_pid, unlink
from phxactor.otp import IGNORE, Started
from phxactor.runtime import KILL, KILLED, NOPROC, Down, Exited, From, receive, spawn, spawn_link, trap_exit
from phxactor.socket import BINARY, Route, Socket
from phxactor.socket._join_acts import DUPLICATE_GRACE
from phxactor.socket._join_table import TABLE, Act, Event, Phase, cell
from phxactor.socket._multiplexer import WAITING
from phxactor.socket._topics import Entry
from phxactor.testing import settle
from tests.sockets.wires import Wire, wire

JOIN_TIMEOUT: Final = 60.0
TOPIC: Final = "puppet:1"

Heard: TypeAlias = list[tuple[object, str]]
"""What a client has heard: refs, and the rest in short."""


class Puppet:
    """A custom channel whose start and whose process do what the test says, when it says so."""

    made: ClassVar[list[Puppet]] = []

    def __init__(self, from_: From, socket: Socket) -> None:
        self.from_ = from_
        self.socket = socket
        self.pid = spawn_link(self.body)
        self.go = trio.Event()
        self.outcome: Started = Ok(self.pid)
        self.got: list[object] = []
        self.by_test = False
        """Whether the test has killed it."""
        Puppet.made.append(self)

    @classmethod
    async def start_link(cls, arguments: tuple[object, From, Socket]) -> Started:
        puppet = cls(*arguments[1:])
        await puppet.go.wait()
        if puppet.outcome == Error("raises"):
            raise RuntimeError("not started")
        return puppet.outcome

    async def body(self) -> None:
        trap_exit()
        while True:
            message = await receive()
            if callable(message):
                message()
            else:
                self.got.append(message)

    def do(self, action: Callable[[], object]) -> None:
        """Have the process do something."""
        self.pid.send(action)

    def end(self, reason: object) -> None:
        """Have the process end by itself."""

        def leave() -> None:
            raise Exit(reason)

        self.do(leave)

    def be_killed(self) -> None:
        """Be killed by the test."""
        self.by_test = True
        self.pid.exit(KILL)

    def start(self, outcome: Started | None = None) -> None:
        """Have the start return, or raise."""
        self.outcome = self.outcome if outcome is None else outcome
        self.go.set()


@attrs.define
class Stage:
    """One connection, and the join that is looked at."""

    it: Wire
    join_ref: str | None
    puppet: Puppet = None  # type: ignore[assignment]  # until there is one
    join: Entry | None = None

    def phase(self) -> Phase:
        """Look where the join is."""
        self.join = self.it.mux._topics.get(TOPIC, self.join)  # noqa: SLF001 - the client cannot know
        return Phase.NONE if self.join is None else self.join.phase

    def was_killed(self) -> bool:
        """Ask whether the channel was killed by its transport."""
        return any(puppet.pid.exit_reason == KILLED and not puppet.by_test for puppet in Puppet.made)

    async def hear(self) -> Heard:
        """Return what the client has heard."""
        return [short(one) for one in await self.it.hear()]

    def say(self, event: str, ref: str = "7") -> None:
        """Send as the client."""
        self.it.say(self.join_ref, ref, TOPIC, event)


def short(heard: object) -> tuple[object, str]:
    """Shorten what a client hears, in either version."""
    if isinstance(heard, dict):
        ref, event, payload = heard["ref"], heard["event"], heard["payload"]
    else:
        assert isinstance(heard, list)
        _, ref, _, event, payload = heard
    if event != "phx_reply":
        return ref, event
    response = payload["response"]
    return ref, payload["status"] if not response else f"{payload['status']}: {response['reason']}"


# ----------------------------------------------------------------------------------------------- the phases


async def replacing(stage: Stage) -> None:
    await joined(stage)
    stage.say("phx_join", "2")


async def asked(stage: Stage) -> None:
    stage.say("phx_join", "1")
    await settle()
    stage.phase()
    stage.puppet = Puppet.made[-1]


async def named(stage: Stage) -> None:
    await asked(stage)
    stage.puppet.start()


async def answered(stage: Stage) -> None:
    await asked(stage)
    stage.puppet.do(lambda: stage.puppet.from_.reply(Ok()))


async def asked_closing(stage: Stage) -> None:
    await asked(stage)
    stage.puppet.do(lambda: stage.puppet.socket.close(Shutdown("left")))


async def named_closing(stage: Stage) -> None:
    await named(stage)
    stage.puppet.do(lambda: stage.puppet.socket.close(Shutdown("left")))


async def joined(stage: Stage) -> None:
    await answered(stage)
    stage.puppet.start()
    await settle()


async def ended(stage: Stage) -> None:
    await asked(stage)
    stage.puppet.do(lambda: stage.puppet.from_.reply(Error({"reason": "no"})))


async def given_up(stage: Stage) -> None:
    await asked(stage)
    stage.puppet.do(lambda: stage.puppet.from_.reply(Ok(object())))


async def none(_: Stage) -> None:
    pass


PHASES: Final[dict[Phase, Callable[[Stage], Awaitable[None]]]] = {
    Phase.NONE: none,
    Phase.REPLACING: replacing,
    Phase.ASKED: asked,
    Phase.NAMED: named,
    Phase.ANSWERED: answered,
    Phase.ASKED_CLOSING: asked_closing,
    Phase.NAMED_CLOSING: named_closing,
    Phase.JOINED: joined,
    Phase.ENDED: ended,
    Phase.GIVEN_UP: given_up,
}


# ----------------------------------------------------------------------------------------------- the events


async def overflow(stage: Stage) -> None:
    for number in range(WAITING):
        stage.it.say(stage.join_ref, number, TOPIC, "push")
    stage.say("push")


async def unrouted(stage: Stage) -> None:
    stage.it.say(stage.join_ref, "7", "nowhere", "phx_join")


async def timeout(stage: Stage) -> None:
    await trio.sleep((DUPLICATE_GRACE if stage.phase() is Phase.REPLACING else JOIN_TIMEOUT) + 1)


async def pool_dies(stage: Stage) -> None:
    unlink(stage.it.pool)
    stage.it.pool.exit(KILL)


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


def tell(puppet: Puppet) -> None:
    """Close by a message of one's own making."""
    puppet.socket.transport_pid.send(SocketClose(puppet.pid, Shutdown("left")))


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


@asynccontextmanager
async def staged(vsn: int, *routes: Route) -> AsyncIterator[Stage]:
    """Open a connection; the puppets that are left at the end are killed."""
    Puppet.made.clear()
    async with wire(channel("puppet:*", Puppet), *routes, vsn=vsn, join_timeout=JOIN_TIMEOUT) as it:
        yield Stage(it, "1" if vsn == 2 else None)
        await it.hang_up()
        for puppet in Puppet.made:
            puppet.start()
            puppet.pid.exit(KILL)
        await settle()
        assert it.runtime.statistics().timers == 0


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


async def nothing_is_left(stage: Stage) -> None:
    """See that all is taken back that the join had asked for, once its pool has answered or died."""
    stage.it.pid.send(SocketClose(self_pid(), Shutdown("left")))  # a stranger's, of which nothing is kept either
    await settle()
    if stage.puppet is not None:
        stage.puppet.start()
    assert await stage.hear() == []
    if stage.it.pid.alive:
        assert stage.it.mux._asked == {}  # noqa: SLF001 - nobody else can tell
        assert stage.it.mux._by_pid == {}  # noqa: SLF001
        assert stage.it.mux._closed_early is None  # noqa: SLF001
        assert not [watch for watch in stage.it.pid.monitors or () if watch.target is not None]


# -------------------------------------------------------------------------------------------- more than one


async def test_a_channel_that_answers_through_another_process_is_known_once_it_is_named(
    autojump_clock: MockClock,
) -> None:
    async with staged(2) as stage:
        await asked(stage)
        stage.puppet.from_.reply(Ok())
        stage.puppet.do(lambda: tell(stage.puppet))
        assert await stage.hear() == [("1", "ok")]
        stage.puppet.start()
        assert await stage.hear() == [("1", "phx_close")]
        await nothing_is_left(stage)


@pytest.mark.parametrize("outcome", [Error("failed"), IGNORE, Error("raises"), None], ids=str)
@pytest.mark.parametrize("answered_by", ["channel", "another"])
@pytest.mark.parametrize("told_with", ["pid", "socket"])
async def test_a_close_that_another_process_tells_comes_first_though_the_start_fails(
    told_with: str, answered_by: str, outcome: Started | None, autojump_clock: MockClock
) -> None:
    async with staged(2) as stage:
        await asked(stage)
        if answered_by == "channel":
            stage.puppet.do(lambda: stage.puppet.from_.reply(Ok()))
        else:
            stage.puppet.from_.reply(Ok())
        await settle()
        if told_with == "pid":
            tell(stage.puppet)
        else:
            stage.puppet.socket.close(Shutdown("left"))
        await settle()
        if outcome is None:
            await pool_dies(stage)
        else:
            stage.puppet.start(outcome)
        assert await stage.hear() == [("1", "ok"), ("1", "phx_close")]
        stage.puppet = None  # type: ignore[assignment]  # it has no pool that could name it
        await nothing_is_left(stage)


async def test_a_close_is_that_of_the_start_that_its_pool_is_at(autojump_clock: MockClock) -> None:
    async with staged(2) as stage:
        await asked(stage)
        stage.it.say("8", "8", "puppet:2", "phx_join")  # it waits for the pool
        stage.puppet.from_.reply(Ok())
        tell(stage.puppet)
        await settle()
        stage.puppet.start(Error("failed"))
        await settle()
        second = Puppet.made[-1]
        assert second is not stage.puppet
        second.from_.reply(Ok())
        second.start(Error("failed"))
        assert await stage.hear() == [("1", "ok"), ("1", "phx_close"), ("8", "ok"), ("8", "phx_error")]


async def test_a_close_of_a_stranger_is_not_that_of_a_channel_whose_start_fails(autojump_clock: MockClock) -> None:
    async with staged(2) as stage:
        await asked(stage)
        stage.puppet.from_.reply(Ok())
        stage.it.pid.send(SocketClose(spawn(receive), Shutdown("left")))
        stage.puppet.start(Error("failed"))
        assert await stage.hear() == [("1", "ok"), ("1", "phx_error")]


async def test_a_close_of_another_process_is_not_the_channels(autojump_clock: MockClock) -> None:
    async with staged(2) as stage:
        await answered(stage)
        stage.it.pid.send(SocketClose(self_pid(), Shutdown("left")))
        stage.puppet.start()
        assert await stage.hear() == [("1", "ok")]
        assert stage.phase() is Phase.JOINED


async def test_what_is_no_close_hurts_nobody(autojump_clock: MockClock) -> None:
    async with staged(2) as stage:
        await asked(stage)
        stage.it.pid.send(SocketClose([], "left", object()))  # type: ignore[arg-type]
        stage.it.pid.send(Down([], [], "left"))  # type: ignore[arg-type]
        assert await stage.hear() == []
        assert stage.phase() is Phase.ASKED


async def test_joins_of_a_pool_that_dies_are_answered_at_once_and_the_next_one_too(autojump_clock: MockClock) -> None:
    async with staged(2) as stage:
        await asked(stage)  # this one is being started, and the next ones wait in the pool's mailbox
        stage.it.join("puppet:2", "2")
        stage.it.join("puppet:3", "3")
        assert await stage.hear() == []
        began = trio.current_time()
        await pool_dies(stage)
        crashed = "error: join crashed"
        assert await stage.hear() == [("1", crashed), ("2", crashed), ("3", crashed)]
        stage.it.join("puppet:4", "4")
        assert await stage.hear() == [("4", crashed)]
        assert trio.current_time() == began
        await nothing_is_left(stage)


async def test_a_pool_that_cannot_be_found_is_a_crash_of_the_join(autojump_clock: MockClock) -> None:
    async with staged(2) as stage:

        def nowhere(*_: object) -> Pid:
            raise Exit(NOPROC)

        stage.it.mux._pool = nowhere  # noqa: SLF001
        stage.say("phx_join", "1")
        assert await stage.hear() == [("1", "error: join crashed")]
        await nothing_is_left(stage)


@pytest.mark.parametrize("phase", [asked, named, answered])
async def test_a_leave_waits_even_if_it_is_too_much(
    phase: Callable[[Stage], Awaitable[None]], autojump_clock: MockClock
) -> None:
    async with staged(2) as stage:
        await phase(stage)
        await overflow(stage)
        await stage.hear()
        for ref in ("8", "9"):
            stage.say("phx_leave", ref)
        full = "error: too many messages before the join was answered"
        assert await stage.hear() == [("9", full)]  # a second one makes no more room
        stage.puppet.do(lambda: stage.puppet.from_.reply(Ok()))
        stage.puppet.start()
        await stage.hear()
        last = stage.puppet.got[-1]
        assert isinstance(last, Message)
        assert (last.event, last.ref, len(stage.puppet.got)) == ("phx_leave", "8", WAITING + 1)


async def test_a_start_that_is_not_async_but_has_to_be_awaited_has_a_time_limit_too(autojump_clock: MockClock) -> None:
    """One client could hold up its pool for ever, and the joins of all others with it."""

    class Detour:
        @staticmethod
        def start_link(arguments: tuple[object, From, Socket]) -> Awaitable[Started]:
            return Puppet.start_link(arguments)

    async with staged(2, channel("detour", Detour)) as stage:
        stage.it.join("detour", "1")
        stage.it.join("puppet:1", "2")
        await trio.sleep(JOIN_TIMEOUT - 1)
        assert await stage.hear() == []
        assert len(Puppet.made) == 1
        await trio.sleep(2)
        assert await stage.hear() == [("1", "error: join timed out"), ("2", "error: join timed out")]
        assert len(Puppet.made) == 2  # the pool goes on


async def test_a_binary_message_waits_for_the_answer_as_a_text_does(autojump_clock: MockClock) -> None:
    async with staged(2) as stage:
        await asked(stage)
        data = b"\x00\x01\x01\x08\x04" + b"17puppet:1push" + b"payload"
        stage.it.mux.handle_in(stage.it.socket.serializer.decode(data, BINARY))
        stage.puppet.do(lambda: stage.puppet.from_.reply(Ok(b"joined")))
        assert await stage.it.hear() == [b"\x01\x01\x01\x08\x0211puppet:1okjoined"]
        stage.puppet.start()
        await stage.hear()
        assert stage.puppet.got == [Message(TOPIC, "push", b"payload", "7", "1")]
