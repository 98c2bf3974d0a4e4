"""What may happen next, who chooses it, and the failure of a play in which nothing can."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import trio

from phxactor.testing.exploration._clock import Clock
from phxactor.testing.exploration._faults import Fault, OnTime

Task: TypeAlias = trio.lowlevel.Task
Option: TypeAlias = Task | Clock | Fault | OnTime
"""What may happen next: a task takes its step, the earliest deadline passes, or something fails."""
Choose: TypeAlias = Callable[[Sequence[Option]], int]
"""Returns the index of the option that is taken; the tasks before it are postponed."""
Tell: TypeAlias = Callable[[Sequence[Option], int], object]
"""Is told of each choice other than 0: the options, and the index."""


class DeadlockError(AssertionError):
    """No task can go on: every task waits, and no time-out will wake one. Also raised for a play without an end."""

    __module__ = "phxactor.testing.schedule"  # where programs import it from


class OutsideError(AssertionError):
    """A task waits for a socket, a thread or a program that is outside of the loop, so a schedule cannot play it."""

    __module__ = "phxactor.testing.schedule"  # where programs import it from
