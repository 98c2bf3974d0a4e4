"""What a parent is to run, and what its first process and its deciding process say to each other."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import attrs

from phxactor.cluster import new_group
from phxactor.cluster.carriers.workers import Configure
from phxactor.workers import events
from phxactor.workers._program import Program

Phase = Literal["starting", "serving", "reloading", "stopping"]


@attrs.frozen
class Failure:
    """The parent cannot go on, to its first process: the exit code and, unless the worker has said it, why."""

    status: int
    why: str = ""


@attrs.frozen(kw_only=True)
class Plan:
    """What a parent is to run."""

    program: Program
    workers: int
    slots: int
    counts: int
    """The descriptor of the shared memory."""
    secret: str = attrs.field(repr=False)
    watched: Sequence[Path] = ()
    """Folders whose files are watched in development. Then a start that fails waits for a change, and a worker that
    hangs is left to its debugger."""
    group: bytes = attrs.field(factory=new_group)
    host: str = attrs.field(factory=socket.gethostname)

    def configure(self, number: int, slot: int, generation: int) -> Configure:
        """Return what a worker is told at its start."""
        return Configure(
            number=number,
            slot=slot,
            workers=self.workers,
            slots=self.slots,
            name=f"{self.program.name}@{self.host}/{number}"[-255:],
            group=self.group,
            secret=self.secret,
            generation=generation,
        )


@attrs.frozen
class Reload:
    """Asks the process for a reload, and says why."""

    why: str


@attrs.frozen
class Start:
    """Start the worker with this number in a generation, unless that is over by now."""

    number: int
    generation: int


@attrs.frozen
class End:
    """The end of a worker that nobody has asked for, or a worker that could not be started at all."""

    number: int
    generation: int
    why: str = ""
    """Why it could not be started."""
    process: int = 0
    status: int | None = None
    stack: str = ""
    was_ready: bool = False


def tell_ended(end: End, pause: float | None) -> None:
    """Emit the event of an end that nobody has asked for; `pause` is in seconds, None if it is not started again."""
    if events.ended.handlers:
        events.ended.emit(number=end.number, process=end.process, status=end.status, stack=end.stack, seconds=pause)
