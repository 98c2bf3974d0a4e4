"""Children of `os.fork` that a process makes: they never serve clients, and never clean up the parent's resources.

The child has a copy of the scheduler in the middle of a step. It shares the sockets and the epoll objects with its
parent. The child may finish the handler that called `os.fork`. These rules hold in the child:

- An exception that leaves that handler ends the child. `sys.exit(3)` ends it with status 3, as in any program. Any
  other exception ends it with a traceback and status 1. Printed output is flushed; no other code of the program runs.
- If the handler awaits or returns, the child ends with the current scheduler step, before trio runs anything else,
  with one line on stderr and status 1. So no other process runs in the child, and no client gets anything from it.
- Signals have their default effect: the program's handling of SIGINT and SIGTERM is for the parent only.

A fork in another thread copies nothing of the scheduler's thread, so these rules do not apply to it. `subprocess` and
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

from phxactor.runtime._errors import Exit
from phxactor.runtime._pid import current

FAILED: Final = 1
"""The exit status of a child that does not end itself."""
STRAYED: Final = (
    "phxactor: a child of os.fork has left the code that forked it, and ends: end it with os._exit() or sys.exit()\n"
)

_runs: Counter[int] = Counter()
"""For each thread, the number of runtimes that are open in it."""
received: Final[set[signal.Signals]] = set()
"""The signals that the program handles itself, and its children do not."""
_mask: set[int] = set()
"""The signal mask from before the fork that is in progress."""
child: int | None = None
"""In a child, the id of its only thread if that was the scheduler's thread in the parent; else None."""


@contextmanager
def runs_here() -> Iterator[None]:
    """Apply the rules of this module to children that are forked in this thread during the block."""
    thread = threading.get_ident()
    _runs[thread] += 1
    try:
        yield
    finally:
        _runs[thread] -= 1
        if not _runs[thread]:
            del _runs[thread]


def is_child() -> bool:
    """Return whether this is the scheduler's thread in a child, which must not write to sockets."""
    return child is not None and child == threading.get_ident()


def leave(error: BaseException) -> None:
    """In a child, end it with the exception that left its code; anywhere else, do nothing."""
    if is_child():
        _end(None if issubclass(type(error), Exit) else error)


def stray() -> None:
    """In a child, end it with status 1: its code has returned without `sys.exit`. Anywhere else, do nothing."""
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
    """Find the `SystemExit`, also inside the exception group in which a nursery wraps it."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_asked, error.exceptions)), None)
    return error if isinstance(error, SystemExit) else None


def _status(error: SystemExit) -> int:
    """Return the exit status that the interpreter would use, and print what the interpreter would print."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    sys.stderr.write(f"{error.code}\n")
    return FAILED


class _LastStep(trio.abc.Instrument):
    """Ends the child at the end of the scheduler step that forked it, before any other task runs."""

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
    """Block signals before a fork: a signal to the new child waits until `_in_child` has reset its handlers."""
    global _mask  # noqa: PLW0603 - the hooks of a fork share nothing else
    if received:
        _mask = signal.pthread_sigmask(signal.SIG_BLOCK, received)


def _in_parent() -> None:
    """Restore the signal mask in the parent, after each fork."""
    if received:
        signal.pthread_sigmask(signal.SIG_SETMASK, _mask)


def _in_child() -> None:
    """Set up each child, before its code continues."""
    global child  # noqa: PLW0603 - it is a fact about the whole interpreter
    if _runs.get(threading.get_ident()):
        child = threading.get_ident()
        with suppress(RuntimeError):  # trio in guest mode: the host loop forked between two steps
            trio.lowlevel.add_instrument(_LastStep())
        pid = current.get(None)
        if pid is not None:
            pid.budget = 0  # the process takes no other waiting message
    if received:
        signal.set_wakeup_fd(-1)  # the descriptor is shared, and would wake the parent
        for number in received:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, _mask)


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
