"""What becomes of a frame between two simulated nodes, as a schedule with faults chooses.

A schedule with `Faults(losses=1, cuts=1, deaths=1)` replaces `fate_of` while it plays.
"""

from __future__ import annotations

from enum import Enum


class Fate(Enum):
    """What happens as one node sends a frame to another. In each case but the first, the frame is lost."""

    ARRIVES = "arrives"
    LOST = "is lost"
    CUT = "is lost, and from now on the two nodes cannot hear each other"
    SENDER_DIES = "is lost, and its sender is killed"
    RECEIVER_DIES = "is lost, and its receiver is killed"


def fate_of(_one: str, _other: str) -> Fate:
    """Return what becomes of a frame from one node to another, by their names."""
    return Fate.ARRIVES
