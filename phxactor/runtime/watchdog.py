"""The watchdog: a thread that tells of a process which does not let others run.

A body without a checkpoint cannot be ended from outside, and while it runs nothing else does, no time-out and no kill
(TM8). There is no remedy within the program; but one can be told which process it is, where, and for how long.
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
from phxactor.runtime.pid import Pid
from phxactor.runtime.process import run_process

STUCK_AFTER: Final = 5.0
"""Seconds without a checkpoint after which a process is told of."""


@contextmanager
def watched(stuck_after: float) -> Iterator[None]:
    """Watch the run of trio that this is called in, from a thread, until the block is left."""
    stopped = threading.Event()
    token = trio.lowlevel.current_trio_token()
    thread = threading.Thread(
        target=_watch, args=(token, threading.get_ident(), stuck_after, stopped), name="phxactor watchdog", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stopped.set()


def _watch(token: trio.lowlevel.TrioToken, ident: int, stuck_after: float, stopped: threading.Event) -> None:
    """Knock once in a while; when nobody answers for too long, tell, and once more when it is over."""
    while not stopped.is_set():
        answered = threading.Event()
        knocked = monotonic()
        try:
            token.run_sync_soon(answered.set)
        except trio.RunFinishedError:
            return
        if not answered.wait(stuck_after):
            frame = sys._current_frames().get(ident)  # noqa: SLF001 - documented for debuggers
            pid, stack = _running(frame), "".join(traceback.format_stack(frame))
            if events.stuck.handlers and not stopped.is_set():
                events.stuck.emit(pid=pid, seconds=monotonic() - knocked, stack=stack)
            del frame
            while not answered.wait(1.0) and not stopped.is_set():
                pass
            if events.unstuck.handlers and answered.is_set():
                events.unstuck.emit(pid=pid, seconds=monotonic() - knocked)
        stopped.wait(stuck_after / 4)


def _running(frame: FrameType | None) -> Pid | None:
    """Find which process a frame belongs to: its outermost frame is ours, and has its pid."""
    while frame is not None:
        if frame.f_code is run_process.__code__:
            pid = frame.f_locals.get("pid")
            return pid if isinstance(pid, Pid) else None
        frame = frame.f_back
    return None
