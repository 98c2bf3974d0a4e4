"""A resource and its user, killed and stopped in any order: each context is left before the next one is entered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio
from hypothesis import settings
from hypothesis import strategies as st

from phxactor.otp import GenServer, Reply, Resource, Supervisor, call
from phxactor.runtime import KILL, SHUTDOWN, Exit, From, NoProcessError, Pid, trap_exit, whereis
from phxactor.testing import settle
from phxactor.testing.machine import ProcessMachine, invariant, rule


class Pool:
    """What is held."""

    def __init__(self) -> None:
        self.open = True
        self.fails = trio.Event()

    async def work(self) -> None:
        await self.fails.wait()
        raise ValueError("the connection is lost")


class User(GenServer):
    """Found its pool when it started, and finds the same one ever after."""

    async def init(self, resource: Resource[Pool]) -> None:
        trap_exit()
        self.resource, self.pool = resource, resource.value

    async def handle_call(self, request: object, from_: From) -> Reply:
        await trio.lowlevel.checkpoint()
        return Reply(self.resource.value is self.pool)

    async def terminate(self, reason: object) -> None:
        if reason == SHUTDOWN:  # told to end by the supervisor: the pool is still there, unless it has crashed
            await trio.lowlevel.checkpoint()


class Held(ProcessMachine):
    """All ways to end either of them."""

    async def start(self) -> None:
        self.entered = self.left = 0
        self.pools: list[Pool] = []
        self.resource = Resource("pool", self.opens)
        children = [self.resource, User.child_spec(self.resource, name="user")]
        self.tree = (await Supervisor.start_link(children, strategy="rest_for_one", max_restarts=30)).unwrap()

    @asynccontextmanager
    async def opens(self) -> AsyncIterator[Pool]:
        assert self.entered == self.left
        self.entered += 1
        pool = Pool()
        self.pools.append(pool)
        try:
            await trio.lowlevel.checkpoint()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(pool.work)
                yield pool
                await trio.sleep(0.1)
                nursery.cancel_scope.cancel()
        finally:
            pool.open = False
            self.left += 1

    @rule(name=st.sampled_from(["pool", "user"]), reason=st.sampled_from([KILL, "boom", SHUTDOWN]), waits=st.booleans())
    async def exits(self, name: str, reason: str, waits: bool) -> None:
        pid = whereis(name)
        if isinstance(pid, Pid):
            pid.exit(reason)
        if waits:
            await settle()

    @rule()
    async def fails(self) -> None:
        self.pools[-1].fails.set()

    @rule()
    async def restarts(self) -> None:
        await settle()  # no restart may come in between
        await Supervisor.terminate_child(self.tree, "User")
        await Supervisor.terminate_child(self.tree, "pool")
        assert self.entered == self.left
        for name in ("pool", "User"):
            await Supervisor.restart_child(self.tree, name)

    @rule()
    async def asks(self) -> None:
        with suppress(Exit):  # it may be just ending
            assert await call("user", "still there?", 60)

    @invariant()
    async def holds_at_most_one(self) -> None:
        assert self.entered - self.left in (0, 1)
        with suppress(NoProcessError):
            assert self.resource.value.open

    async def stop(self) -> None:
        await trio.sleep(60)
        assert self.resource.value is self.pools[-1]
        assert await call("user", "still there?")
        trap_exit()
        self.tree.exit(SHUTDOWN)
        await self.runtime.ended(self.tree)
        assert self.entered == self.left


TestHeld: Any = Held.TestCase
TestHeld.settings = settings(max_examples=25, stateful_step_count=10, deadline=None)
