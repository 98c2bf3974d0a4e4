"""A resource that notes what is done with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from phxactor.otp import Resource, Supervisor, child_spec
from phxactor.runtime import (
    Pid,
    whereis,
)


class Opened:
    """A context with a task of its own, that says what happens to it."""

    def __init__(self, *, enters: float = 0, leaves: float = 0) -> None:
        self.log: list[object] = []
        self.opened = 0
        self.seconds = enters, leaves
        self.fails = trio.Event()
        self.on_enter: Callable[[], object] = bool
        self.on_leave: Callable[[], object] = bool
        self.resource = Resource("pool", self)

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[str]:
        try:
            await trio.sleep(self.seconds[0])
            self.on_enter()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.work)
                self.opened += 1
                self.log.append(f"opened {self.opened}")
                try:
                    yield f"value {self.opened}"
                except BaseException as error:
                    self.log.append(type(error).__name__)
                    raise
                await trio.sleep(self.seconds[1])
                self.on_leave()
                self.log.append(f"closed {self.opened}")
                nursery.cancel_scope.cancel()
        finally:
            self.log.append("left")

    async def work(self) -> None:
        await self.fails.wait()
        self.fails = trio.Event()
        raise ValueError("the work has failed")

    async def start(self, **overrides: Any) -> Pid:  # noqa: ANN401
        """Start it under a supervisor, and return its process."""
        spec = child_spec(self.resource, **overrides)
        self.supervisor = (await Supervisor.start_link([spec], strategy="one_for_one")).unwrap()
        return self.pid()

    def pid(self) -> Pid:
        pid = whereis("pool")
        assert pid is not None
        return pid
