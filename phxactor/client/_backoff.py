"""Seconds to wait before the next try, as in phoenix.js 1.8.16. Pure functions of the number of the try, from 1."""

from __future__ import annotations

from typing import Final

_RECONNECT: Final = (0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0, 2.0)
_REJOIN: Final = (1.0, 2.0, 5.0)


def reconnect_after(tries: int) -> float:
    """Return the seconds to wait before this try to connect: from 10 ms, growing to 5 seconds."""
    return _RECONNECT[tries - 1] if tries <= len(_RECONNECT) else 5.0


def rejoin_after(tries: int) -> float:
    """Return the seconds to wait before this try to join a topic again: 1, 2, 5, then always 10."""
    return _REJOIN[tries - 1] if tries <= len(_REJOIN) else 10.0
