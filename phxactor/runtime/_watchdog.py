"""The watchdog: a thread that reports a process which does not let others run.

A body without a checkpoint cannot be ended from outside. While it runs, no other process, time-out or kill does (TM8).
The program cannot mend this, but the watchdog can report which process it is, where it is, and for how long.

The watchdog asks the loop for an answer four times in `stuck_after`. It looks at what runs when the answer is late by
half of that time, and again by all of it. A process that runs both times is named.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

import trio

from phxactor.runtime import events
from phxactor.runtime._pid import Pid
from phxactor.runtime._process import run_process

STUCK_AFTER: Final = 1.0
"""Seconds without a checkpoint after which a process is reported, by default."""
PAUSE: Final = 1.0
"""Seconds by which the watchdog is late if it was itself stopped (SIGSTOP, a paused virtual machine)."""


@contextmanager
def watched(stuck_after: float) -> Iterator[None]:
    """Watch the current trio run from a thread, until the block is left."""
    watchdog = Watchdog(stuck_after)
    thread = threading.Thread(target=watchdog.watch, name="phxactor watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        watchdog.stop()
        thread.join()


class Watchdog:
    """Asks the loop at intervals to answer, and reports when the answer takes too long."""

    def __init__(self, stuck_after: float) -> None:
        """Watch the calling thread, which runs trio's loop; `stuck_after` is in seconds."""
        self._stuck_after = stuck_after
        self._token = trio.lowlevel.current_trio_token()
        self._watched = threading.get_ident()
        self._answered = threading.Event()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Make `watch` return at once."""
        self._stopped.set()
        self._answered.set()

    def watch(self) -> None:
        """Watch until `stop`: the body of the thread."""
        while not self._stopped.wait(self._stuck_after / 4):
            self._answered.clear()
            if self._stopped.is_set():
                return
            knocked = monotonic()
            self._token.run_sync_soon(self._answered.set)
            if self._answered.wait(self._stuck_after / 2):
                continue
            before = self._running()[0]
            if not self._answered.wait(self._stuck_after / 2) and monotonic() - knocked < self._stuck_after + PAUSE:
                self._tell(knocked, before)  # else the whole program was stopped, this thread too

    def _tell(self, knocked: float, before: Pid | None) -> None:
        """Report a stuck loop, and once more when it answers; `before` is the process that ran at half of the time."""
        pid, stack = self._running()
        if pid is not before:
            pid = None
        if events.stuck.handlers:
            events.stuck.emit(pid=pid, seconds=monotonic() - knocked, stack=stack)
        self._answered.wait()
        if events.unstuck.handlers and not self._stopped.is_set():
            events.unstuck.emit(pid=pid, seconds=monotonic() - knocked)

    def _running(self) -> tuple[Pid | None, str]:
        """Return the process that runs in the loop's thread, if any, and the stack, of a process only its own frames.

        The outermost frame of a process is `run_process`, with its pid.
        """
        frame = sys._current_frames().get(self._watched)  # noqa: SLF001 - documented for debuggers
        stack, pid, depth = traceback.format_stack(frame), None, 0
        while frame is not None:
            if frame.f_code is run_process.__code__:
                pid = frame.f_locals.get("pid")
                stack = stack[-depth:]
                break
            frame, depth = frame.f_back, depth + 1
        del frame
        return pid if isinstance(pid, Pid) else None, "".join(stack)
