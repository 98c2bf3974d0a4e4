"""The parent's process in virtual time, with stand-ins for workers: they say what the test has them say."""

from __future__ import annotations

import math
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import attrs
import pytest
import trio

from phxactor.cluster.carriers.workers import Beat, Configure, ControlLine, ControlMessage, Hello, Ready, Stop
from phxactor.net import create_counts
from phxactor.otp import ChildSpec, DynamicSupervisor, Ok, Supervise, Supervisor, call
from phxactor.runtime import SHUTDOWN, Exited, Pid, open_runtime, own, receive, self_pid, send, trap_exit
from phxactor.testing import settle
from phxactor.workers import ParentState, _parent
from phxactor.workers._keeper import Ended, Said, Worker
from phxactor.workers._parent import NAME, Workers
from phxactor.workers._plan import Failure, Plan, Reload
from phxactor.workers._program import Program
from phxactor.workers._run import KEEPERS


@attrs.define(eq=False)
class StandIn:
    """A worker, as the line and as the process that its parent has of it."""

    configure: Configure
    pid: int
    parent: Pid
    worker: Worker = attrs.field(init=False)
    came: list[ControlMessage] = attrs.field(factory=list)
    """What the parent has sent it."""
    signals: list[int] = attrs.field(factory=list)
    lives: bool = True

    def send(self, message: ControlMessage) -> None:
        """Take what the parent sends: as `ControlLine`."""
        self.came.append(message)

    def send_signal(self, number: int) -> None:
        """Take a signal, as `Popen`; SIGKILL ends it."""
        self.signals.append(number)
        if number == signal.SIGKILL:
            self.end(-number)

    @property
    def name(self) -> tuple[int, int]:
        """Its generation and its number."""
        return self.configure.generation, self.configure.number

    @property
    def is_told(self) -> bool:
        """Whether it was told to stop."""
        return any(isinstance(one, Stop) for one in self.came) or signal.SIGTERM in self.signals

    def say(self, *messages: ControlMessage) -> None:
        """Say something to the parent."""
        for message in messages:
            self.parent.send(Said(self.worker, message))

    def greet(self) -> None:
        """Say hello."""
        self.say(Hello(node=self.pid.to_bytes(16, "big"), name="node", process=self.pid, places=()))

    def be_ready(self) -> None:
        """Say hello, and that it serves."""
        self.greet()
        self.say(Ready(), Beat(state="ready"))

    def end(self, status: int = 0) -> None:
        """End with this status."""
        if self.lives:
            self.lives = False
            assert self.worker.keeper is not None
            self.worker.keeper.send(Ended(self.worker, status, ""))


class Parent:
    """The process, and all workers that it has started, in order."""

    def __init__(self) -> None:
        self.started: list[StandIn] = []
        self.root: Pid

    def living(self) -> list[tuple[int, int]]:
        """Return the names of those that live."""
        return sorted(one.name for one in self.started if one.lives)

    def last(self, generation: int, number: int) -> StandIn:
        """Return the last one that was started with this name."""
        return [one for one in self.started if one.name == (generation, number)][-1]

    async def all_ready(self, generation: int, workers: int) -> None:
        """Have all workers of a generation become ready, the first alone."""
        for number in range(1, workers + 1):
            self.last(generation, number).be_ready()
            await settle()

    async def live(self, seconds: int) -> None:
        """Let time pass, in which all workers that live give signs of life."""
        for _ in range(seconds):
            for one in self.started:
                if one.lives:
                    one.say(Beat(state="ready"))
            await trio.sleep(1)

    async def state(self) -> ParentState:
        """Return what `phxactor workers` would show."""
        return cast("ParentState", await call(NAME, "state"))

    async def reload(self) -> None:
        """Ask for a reload, as SIGHUP."""
        send(NAME, Reload("SIGHUP"))
        await settle()

    async def stop(self) -> None:
        """Stop the tree as the parent's first process does: say so, and send an exit signal."""
        if self.root.alive:
            send(NAME, "stop")
            await settle()
            self.root.exit(SHUTDOWN)
            await settle()

    async def failure(self) -> Failure:
        """Wait until the parent gives up."""
        return cast("Failure", await receive(lambda message: isinstance(message, Failure), timeout=100))


def _keeper_spec(parent: Parent) -> object:
    def spec(program: Program, configure: Configure, counts: int, deciding: Pid) -> ChildSpec:
        return ChildSpec(id="keeper", start=(start, (configure, deciding), {}), restart="temporary", shutdown=math.inf)

    def start(configure: Configure, deciding: Pid) -> Ok[Pid]:
        runtime = self_pid().runtime
        one = StandIn(configure, 100 + len(parent.started), deciding)
        line, process = cast("ControlLine", one), cast("subprocess.Popen[bytes]", one)
        one.worker = Worker(configure, line, process, -1, runtime.now())
        pid = one.worker.keeper = runtime.spawn(_keep, one, link=True)
        pid.dictionary = {**(pid.dictionary or {}), Worker: one.worker}
        own(pid, lambda _: setattr(one, "lives", False))
        parent.started.append(one)
        return Ok(pid)

    return spec


async def _keep(one: StandIn) -> None:
    """Run the process of a keeper."""
    trap_exit()
    while not isinstance(message := await receive(), Ended):
        if isinstance(message, Exited):
            one.worker.stop()
    one.parent.send(message)


class _Root(Supervisor):
    async def init(self, plan: Plan, first: Pid) -> Supervise:
        children = [Workers.child_spec(plan, KEEPERS, first, name=NAME), DynamicSupervisor.child_spec(name=KEEPERS)]
        return Supervise(children, strategy="one_for_all", max_restarts=0)


@asynccontextmanager
async def parent(
    monkeypatch: pytest.MonkeyPatch, workers: int = 2, *, watched: Sequence[object] = ()
) -> AsyncIterator[Parent]:
    """Run the parent's process; its first worker has been started when the block begins, and all end with the block."""
    found = Parent()
    monkeypatch.setattr(_parent, "keeper_spec", _keeper_spec(found))
    slots = 4 * workers + 4
    counts = create_counts(slots)
    plan = Plan(
        program=Program((), {}, "shop:endpoint"),
        workers=workers,
        slots=slots,
        counts=counts,
        secret="s",
        watched=watched,  # type: ignore[arg-type]
    )
    try:
        async with open_runtime():
            trap_exit()  # as the first process, which hears of the end of the tree
            found.root = (await _Root.start_link(plan, self_pid())).unwrap()
            send(NAME, "begin")
            await settle()
            yield found
            await found.stop()
            for one in found.started:
                one.end()
            await settle()
    finally:
        os.close(counts)
