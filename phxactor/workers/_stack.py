"""Where a worker hung or crashed: `faulthandler` writes the stack into a file in memory that the parent reads.

The worker's own loop need not run for that: the C code of `faulthandler` writes the stack of all threads when the
signal comes, also if the worker is in C code that never returns.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from typing import Final

SIGNAL: Final = signal.SIGRTMAX - 1
"""The signal by which the parent asks for the stack: one that no program uses."""
MAX_BYTES: Final = 16_384
"""Most bytes of a stack that are read."""


def create_stack_file() -> int:
    """Make the file, and return its descriptor."""
    return os.memfd_create("phxactor stack")


def write_stack_to(descriptor: int) -> None:
    """In the worker: write the stack to the file when the signal comes, or at a crash in C code.

    A program that has turned `faulthandler` on keeps its own file for crashes.
    """
    faulthandler.register(SIGNAL, file=descriptor, all_threads=True)
    if not faulthandler.is_enabled():
        faulthandler.enable(file=descriptor, all_threads=True)


def read_stack(descriptor: int) -> str:
    """In the parent: return what is in the file."""
    return os.pread(descriptor, MAX_BYTES, 0).decode(errors="replace").rstrip()
