"""The watchdog: a thread that reports a process which does not let others run.

A body without a checkpoint cannot be ended from outside. While it runs, no other process, time-out or kill does (TM8).
The program cannot mend this, but the watchdog can report which process it is, where it is, and for how long.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType
from typing import Final

import trio

from phxactor.runtime import events
from phxactor.runtime._pid import Pid
from phxactor.runtime._process import run_process

STUCK_AFTER: Final = 1.0
"""Seconds without a checkpoint after which a process is reported."""
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
            if not self._answered.wait(self._stuck_after) and monotonic() - knocked < self._stuck_after + PAUSE:
                self._tell(knocked)  # else the whole program was stopped, this thread too

    def _tell(self, knocked: float) -> None:
        """Report a stuck process, and once more when the loop answers."""
        frame = sys._current_frames().get(self._watched)  # noqa: SLF001 - documented for debuggers
        pid, stack = _running(frame), "".join(traceback.format_stack(frame))
        del frame
        if events.stuck.handlers:
            events.stuck.emit(pid=pid, seconds=monotonic() - knocked, stack=stack)
        self._answered.wait()
        if events.unstuck.handlers and not self._stopped.is_set():
            events.unstuck.emit(pid=pid, seconds=monotonic() - knocked)


def _running(frame: FrameType | None) -> Pid | None:
    """Find the process that a frame belongs to: the outermost frame of a process is `run_process`, with its pid."""
    while frame is not None:
        if frame.f_code is run_process.__code__:
            pid = frame.f_locals.get("pid")
            return pid if isinstance(pid, Pid) else None
        frame = frame.f_back
    return None
