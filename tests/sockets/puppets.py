"""Channels whose start and whose process do what a test says, and the phases that a join of one can be brought to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import ClassVar, Final, TypeAlias

import attrs
import trio

from phxactor import Error, Exit, Ok, Shutdown, SocketClose, channel, self_pid, unlink
from phxactor.otp import Started
from phxactor.runtime import KILL, KILLED, From, receive, spawn_link, trap_exit
from phxactor.socket import Route, Socket
from phxactor.socket._join_table import Phase
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


async def overflow(stage: Stage) -> None:
    for number in range(WAITING):
        stage.it.say(stage.join_ref, number, TOPIC, "push")
    stage.say("push")


async def pool_dies(stage: Stage) -> None:
    unlink(stage.it.pool)
    stage.it.pool.exit(KILL)


def tell(puppet: Puppet) -> None:
    """Close by a message of one's own making."""
    puppet.socket.transport_pid.send(SocketClose(puppet.pid, Shutdown("left")))


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
