"""A trio run that advances only while a caller waits for a job: it runs the asynchronous rules of a state machine.

In trio's guest mode, a host calls the pieces of the trio run. Here the host is the caller of `Guest.do`, in its own
thread and until the job is done. Between jobs nothing happens in the run, and no time passes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from queue import SimpleQueue
from typing import TypeAlias

import trio
from outcome import Error, Outcome, acapture  # a dependency of trio, used by its guest mode
from trio.testing import MockClock

Job: TypeAlias = Callable[[], Awaitable[object]]


class Guest:
    """The trio run. One task does all jobs, one after the other, within `world()`."""

    def __init__(self, world: Callable[[], AbstractAsyncContextManager[object]]) -> None:
        """Start the run, in virtual time. The world is entered at the first job."""
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
            host_uses_signal_set_wakeup_fd=True,  # the host handles Ctrl-C
            restrict_keyboard_interrupt_to_checkpoints=True,
            clock=MockClock(autojump_threshold=0),
        )

    def do(self, job: Job) -> object:
        """Run a job; return its result or raise its error, or raise the error of the world if that ends meanwhile."""
        self._ask(job)
        while self._done is None and self._over is None:
            self._calls.get()()
        done = self._done
        if done is None or (isinstance(done, Error) and isinstance(done.error, trio.Cancelled)):
            self.finish()
            raise AssertionError("an exit signal has ended the first process")
        return done.unwrap()

    def finish(self) -> None:
        """Leave the world, and raise its error, if any."""
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
