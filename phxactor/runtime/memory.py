"""The memory of this program, as the system sees it. On Linux; elsewhere nothing is known, and nothing is done."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if sys.platform == "linux" else 0


def resident() -> int:
    """Return the bytes of memory that the program has, or 0 if nobody says.

    It is called within garbage collections, so it makes nothing that those look at.
    """
    try:
        statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # no Linux, or no file can be opened any more
        return 0
    try:
        return int(os.read(statm, 100).split()[1]) * _PAGE
    finally:
        os.close(statm)


def give_back() -> None:
    """Give free memory back to the system, as far as the C library can."""
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    """Find `malloc_trim` of the GNU C library; None where there is another one."""
    import ctypes  # noqa: PLC0415 - half a megabyte, which few programs need

    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None
    return trim
