"""A trio run that goes on only while somebody waits for it: what makes asynchronous rules of a synchronous machine.

Trio's guest mode runs it in little pieces, which a host calls: here whoever asks for a job to be done, in his own
thread and until it is done. In between nothing happens in it, and no time passes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from queue import SimpleQueue
from typing import TypeAlias

import trio
from outcome import Error, Outcome, acapture  # which comes with trio, whose guest mode speaks it
from trio.testing import MockClock

Job: TypeAlias = Callable[[], Awaitable[object]]


class Guest:
    """The run. Jobs are done one after the other, by one task, within `world()`."""

    def __init__(self, world: Callable[[], AbstractAsyncContextManager[object]]) -> None:
        """Start it, in virtual time; the world is entered when the first job is to be done."""
        self._world = world
        self._calls: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._asked = trio.Event()
        self._job: Job | None = None
        self._done: Outcome[object] | None = None
        self._over: Outcome[None] | None = None
        trio.lowlevel.start_guest_run(
            self._main,
            run_sync_soon_threadsafe=self._calls.put,
            done_callback=self._end,
            host_uses_signal_set_wakeup_fd=True,  # Ctrl-C is the host's
            restrict_keyboard_interrupt_to_checkpoints=True,
            clock=MockClock(autojump_threshold=0),
        )

    def do(self, job: Job) -> object:
        """Have a job done; return or raise what it does, or raise what the world does if it ends meanwhile."""
        self._ask(job)
        while self._done is None and self._over is None:
            self._calls.get()()
        done = self._done
        if done is None or (isinstance(done, Error) and isinstance(done.error, trio.Cancelled)):
            self.finish()
            raise AssertionError("the first process has been told to end, and did")
        return done.unwrap()

    def finish(self) -> None:
        """Leave the world, and raise what that does."""
        self._ask(None)
        while self._over is None:
            self._calls.get()()
        self._over.unwrap()

    def _ask(self, job: Job | None) -> None:
        self._job, self._done = job, None
        self._asked.set()

    async def _main(self) -> None:
        async with self._world():
            while True:
                await self._asked.wait()
                self._asked = trio.Event()
                if self._job is None:
                    break
                self._done = await acapture(self._job)

    def _end(self, outcome: Outcome[None]) -> None:
        self._over = outcome
