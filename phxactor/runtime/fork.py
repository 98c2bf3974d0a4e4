"""A child of `os.fork` that was made in a process: it never serves, and never cleans up what is its parent's.

The child has a copy of everything: of the scheduler in the midst of a step, the sockets, the epoll objects, which it
shares with its parent. Its code may go on in the handler that has forked; but

- what comes out of that handler ends the child: `sys.exit(3)` with the status 3, as in any program, another exception
  with its traceback and the status 1. What had been printed is flushed; nothing else of the program runs;
- where it does not say so but waits or returns, the child ends with its step, before trio runs anything else: with one
  line on stderr and the status 1. So no other process runs in it, and nothing is sent to anybody's client;
- signals do there what they do in any program: the program's own handling of SIGINT and SIGTERM is for the parent.

Who forks in a thread has nothing of the scheduler in the child, and nothing of this happens. `subprocess` and
`multiprocessing` end their children themselves.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, NoReturn

import trio

from phxactor.runtime.errors import Exit
from phxactor.runtime.pid import current

FAILED: Final = 1
"""The exit status of a child that does not end itself."""
STRAYED: Final = (
    "phxactor: a child of os.fork has left the code that made it, and ends: give it os._exit() or sys.exit()\n"
)

_runs: Counter[int] = Counter()
"""The threads in which runtimes are open, and how many."""
received: Final[set[signal.Signals]] = set()
"""The signals that the program handles by itself, and its children do not."""
_mask: set[int] = set()
"""The signals that were blocked before a fork that is going on."""
child: int | None = None
"""In a child, the thread that was the scheduler's: all that is left of the parent's."""


@contextmanager
def runs_here() -> Iterator[None]:
    """Have children that are made in this thread end, as long as the block lasts."""
    thread = threading.get_ident()
    _runs[thread] += 1
    try:
        yield
    finally:
        _runs[thread] -= 1
        if not _runs[thread]:
            del _runs[thread]


def is_child() -> bool:
    """Tell whether this is the scheduler's thread in a child: nothing may be written."""
    return child is not None and child == threading.get_ident()


def leave(error: BaseException) -> None:
    """In a child, end it by what came out of its code; everywhere else, do nothing."""
    if is_child():
        _end(None if issubclass(type(error), Exit) else error)


def stray() -> None:
    """In a child, end it: its code has come to an end without saying so. Everywhere else, do nothing."""
    if is_child():
        _end(None)


def _end(error: BaseException | None) -> NoReturn:
    status = FAILED
    try:
        asked = _asked(error)
        if error is None:
            sys.stderr.write(STRAYED)
        elif asked is not None:
            status = _status(asked)
        else:
            traceback.print_exception(error)
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
    finally:
        os._exit(status)


def _asked(error: BaseException | None) -> SystemExit | None:
    """Find a `sys.exit`, also in the group that a nursery has made of it."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_asked, error.exceptions)), None)
    return error if isinstance(error, SystemExit) else None


def _status(error: SystemExit) -> int:
    """Return the exit status, as the interpreter would, and print what it would print."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    sys.stderr.write(f"{error.code}\n")
    return FAILED


class _LastStep(trio.abc.Instrument):
    """Ends the child when the step of the scheduler is over in which it was made; nothing else runs before."""

    def before_task_step(self, _: trio.lowlevel.Task) -> None:
        """Let no other task run."""
        _end(None)

    def after_task_step(self, _: trio.lowlevel.Task) -> None:
        """Let the task that has forked wait for nothing."""
        _end(None)

    def before_io_wait(self, _: float) -> None:
        """Wait for nothing."""
        _end(None)


def _before() -> None:
    """Be called before each fork: a signal that comes to the child at once waits until it is known what it does."""
    global _mask  # noqa: PLW0603 - the hooks of a fork share nothing else
    if received:
        _mask = signal.pthread_sigmask(signal.SIG_BLOCK, received)


def _in_parent() -> None:
    """Be called after it, in the program itself."""
    if received:
        signal.pthread_sigmask(signal.SIG_SETMASK, _mask)


def _in_child() -> None:
    """Be called in each child, before its code goes on."""
    global child  # noqa: PLW0603 - it is a fact about the whole interpreter
    if _runs.get(threading.get_ident()):
        child = threading.get_ident()
        with suppress(RuntimeError):  # a guest's host has forked, between two steps
            trio.lowlevel.add_instrument(_LastStep())
        pid = current.get(None)
        if pid is not None:
            pid.budget = 0  # it takes no other message of those that wait for it
    if received:
        signal.set_wakeup_fd(-1)  # it wakes the parent
        for number in received:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, _mask)


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
