"""What `Steps` tells of each step, for those who record them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trio.lowlevel import Task

from phxactor.testing.exploration._clock import Clock
from phxactor.testing.exploration._faults import Fault


class Watcher(Protocol):
    """What is told of each step."""

    def spawned(self, task: Task) -> None:
        """A step makes a new task."""

    def before(self, task: Task, ready: Sequence[Task]) -> None:
        """A task takes a step, chosen among those that are ready."""

    def fails(self, fault: Fault) -> None:
        """Something fails, which is a step of its own."""

    def looks(self) -> None:
        """The task that takes the next step only looks into its mailbox: it was not chosen."""

    def after(self, woken: Sequence[Task]) -> None:
        """The step has ended, and has made tasks ready."""

    def passed(self, woken: Sequence[Task], clock: Clock | None) -> None:
        """Trio has looked at its input and deadlines, which has made tasks ready."""
