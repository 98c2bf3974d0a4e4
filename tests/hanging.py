"""A test that hangs fails soon, and says where each of its tasks and threads waits.

A phase of a test (its fixtures, its call, their end) hangs when neither it nor a program that it has started uses the
processor for `IDLE` seconds, however busy the machine is; or when it takes `WHOLE` seconds. A signal looks at it every
`LOOK` seconds, so a short test never sees one. What hangs is ended in three steps: trio's main task is cancelled; all
tasks are, shields or not; this process ends, which pytest-xdist reports with the name of the test. Where the main
thread does not wait in trio but in a task or a test, it raises instead.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any, Final, NoReturn

import attrs
import pytest
import trio
from trio.lowlevel import Task

LOOK: Final = 15.0
IDLE: Final = 45.0
WHOLE: Final = 600.0
"""Seconds. No test is without work for so long: what waits for an event gives up after `PATIENCE` seconds at most."""
SHARE: Final = 0.002
"""What wants less than this part of one processor is idle: servers wake up from time to time, and do nothing."""
ENDING: Final = 10.0
"""Seconds that a step has to end the test."""
STEPS: Final = 2
"""So many steps are tried before the program ends."""
NAMES: Final = 5
"""So many tasks that wait at one place are named."""
FRAMES: Final = 12
"""So many frames of a thread are shown, the innermost: the others are those of pytest."""


STDERR: Final = os.dup(2)
"""Where messages go that pytest would catch."""


def end_program(found: str) -> NoReturn:
    """End this process, as what hangs cannot be ended otherwise; write the stacks where the terminal shows them."""
    with suppress(OSError):
        os.write(STDERR, f"\n{os.environ.get('PYTEST_CURRENT_TEST')} hangs: {found}\n".encode())
        faulthandler.dump_traceback(STDERR)
    os._exit(70)


class Hung(BaseException):
    """Raised in the main thread by what a hanging test runs; no `except Exception` holds it."""


@attrs.define
class Watch:
    """Looks at one phase of a test."""

    look: float = LOOK
    idle: float = IDLE
    whole: float = WHOLE
    ending: float = ENDING
    end_program: Callable[[str], object] = end_program
    found: str = ""
    """Why the phase hangs, and the stacks."""
    _started: float = attrs.field(factory=monotonic)
    _worked: float = attrs.field(factory=monotonic)
    """When there was work last."""
    _looked: float = attrs.field(factory=monotonic)
    _used: float = 0.0
    _steps: int = 0

    def signalled(self, _signal: int, frame: FrameType | None) -> None:
        """Look at the phase; end it if it hangs."""
        if self.found:
            self._end()
        elif reason := self._hangs():
            self.found = f"{reason}\n\n{stacks(frame)}"
            signal.setitimer(signal.ITIMER_REAL, self.ending, self.ending)
            self._end()

    def _hangs(self) -> str:
        now, used = monotonic(), processor_seconds()
        if abs(used - self._used) > SHARE * (now - self._looked):  # it is less when a program has ended
            self._worked = now
        self._used, self._looked = used, now
        if now - self._worked >= self.idle:
            return f"nothing has used the processor for {now - self._worked:.0f} s"
        if now - self._started >= self.whole:
            return f"it is not over after {now - self._started:.0f} s"
        return ""

    def _end(self) -> None:
        self._steps += 1
        if self._steps > STEPS:
            self.end_program(self.found)
        elif not trio.lowlevel.in_trio_run() or _in_task():
            raise Hung
        else:
            step = _cancel_main_task if self._steps == 1 else _cancel_all_tasks
            trio.lowlevel.current_trio_token().run_sync_soon(step)


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Fail with the stacks what hangs in the block."""
    handler = signal.signal(signal.SIGALRM, watch.signalled)
    timer = signal.setitimer(signal.ITIMER_REAL, watch.look, watch.look)
    try:
        yield
    except BaseException:
        if not watch.found:
            raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)
    if watch.found:
        pytest.fail(watch.found, pytrace=False)


def _cancel_main_task() -> None:
    root = trio.lowlevel.current_root_task()
    assert root is not None
    if root.child_nurseries:  # the youngest holds the main task, for as long as there is one
        root.child_nurseries[-1].cancel_scope.cancel("the test hangs")


def _cancel_all_tasks() -> None:
    for task in _tasks():
        status: Any = task._cancel_status  # noqa: SLF001 - trio tells nobody which scopes are around a task
        while status is not None:
            status._scope.shield = False  # noqa: SLF001
            status._scope.cancel("the test hangs")  # noqa: SLF001
            status = status._parent  # noqa: SLF001


def _in_task() -> bool:
    try:
        trio.lowlevel.current_task()
    except RuntimeError:  # it waits for the network
        return False
    return True


def stacks(here: FrameType | None) -> str:
    """Write where all tasks of trio in this thread wait, those at one place together, and where the threads are.

    This thread is at a frame that the caller names, since it looks at itself.
    """
    places: dict[str, list[str]] = {}
    for task in _tasks():
        stack = "".join(traceback.StackSummary.extract(task.iter_await_frames()).format())
        places.setdefault(stack, []).append(task.name)
    parts = [f"{_title(names)}:\n{stack}" for stack, names in places.items()]
    frames = sys._current_frames()  # noqa: SLF001 - documented, in spite of its name
    for thread in threading.enumerate():
        frame = here if thread is threading.current_thread() else frames.get(thread.ident or 0)
        parts.append(f"thread {thread.name}:\n{''.join(traceback.format_stack(frame)[-FRAMES:])}")
    return "\n".join(parts)


def _title(names: list[str]) -> str:
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return f"task {', '.join(names[:NAMES])}{more}"


def _tasks() -> Iterator[Task]:
    """Go through all tasks of the run of trio in this thread, parents first."""
    root = trio.lowlevel.current_root_task() if trio.lowlevel.in_trio_run() else None
    left = [] if root is None else [root]
    while left:
        task = left.pop()
        yield task
        left += [child for nursery in task.child_nurseries for child in nursery.child_tasks]


def processor_seconds() -> float:
    """Return the processor time of this process and of all programs that it and they have started, in seconds.

    The time in which they waited for a processor counts too, so what others keep from working does not seem to hang.
    """
    mine = sum(os.times()[:4]) + _waited(Path("/proc/self"))
    children: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):  # nothing where there is no such folder
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        pid = int(file.parent.name)
        children.setdefault(int(fields[1]), []).append(pid)
        used[pid] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") + _waited(file.parent)
    left = list(children.get(os.getpid(), ()))
    while left:
        pid = left.pop()
        mine += used[pid]
        left += children.get(pid, ())
    return mine


def _waited(process: Path) -> float:
    """Return how many seconds the first thread of a process could have worked and had no processor."""
    try:
        return int((process / "schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):  # it has just ended, or the system does not count this
        return 0.0
