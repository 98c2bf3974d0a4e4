"""The program's memory as the operating system reports it. Linux only; elsewhere these functions do nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if sys.platform == "linux" else 0


def resident() -> int:
    """Return the resident memory of the program in bytes, or 0 if it is unknown.

    It runs within garbage collections, so it makes no objects that the collector tracks.
    """
    try:
        statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # not Linux, or no file descriptor is free
        return 0
    try:
        return int(os.read(statm, 100).split()[1]) * _PAGE
    finally:
        os.close(statm)


def give_back() -> None:
    """Return free memory to the system, as far as the C library can."""
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    """Find `malloc_trim` of the GNU C library; None with any other C library."""
    import ctypes  # noqa: PLC0415 - takes memory that few programs need to spend

    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None
    return trim
