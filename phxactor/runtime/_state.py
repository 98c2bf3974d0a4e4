"""The life of a process, as one table (docs/otp-semantics.md, section 1, TM16, TM17).

    ALIVE ── fatal signal, or the body has ended ──▶ EXITING ── the task has unwound ──▶ DEAD

                     ALIVE       EXITING                               DEAD
    alive            yes         no, at once (P12)                     no
    name, links      kept        kept (P11, P13)                       gone, before others hear of it (P14)
    messages         taken       not taken any more (TM13)             dropped (P16)
    exit signals     obeyed      ignored, the first one stands (P15)   ignored (P17)
    new monitors     watch       will answer `NOPROC` at the end (M4)  answer `NOPROC` (M2)

A pid of another node is REMOTE for ever: its state is known on its own node only (ND5).

A killed process whose task does not unwind becomes DEAD all the same, after a grace time: see `zombies`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class State(IntEnum):
    """The stage of a process's life; it only increases."""

    ALIVE = 0
    EXITING = 1
    """The process will end: it is not alive, but still has its name and links (P11)."""
    DEAD = 2
    REMOTE = 3
    """No process of this runtime: a record that stands for one of another node (see `remote`); it never changes."""


ALIVE: Final = State.ALIVE
EXITING: Final = State.EXITING
DEAD: Final = State.DEAD
REMOTE: Final = State.REMOTE
