"""Numbers of a whole runtime at one moment."""

from __future__ import annotations

from typing import final

import attrs

from phxactor.endpoint import connections_of
from phxactor.runtime import Runtime, resident


@final
@attrs.frozen
class Totals:
    """Numbers at one moment."""

    processes: int
    messages: int
    """Messages that wait in mailboxes."""
    zombies: int
    connections: int
    """Connections of the endpoint that the observer is mounted in, long-poll sessions included."""
    memory: int
    """The memory of the program in bytes; 0 where the system does not tell."""


def total(runtime: Runtime, endpoint: str) -> Totals:
    """Count."""
    counted = runtime.statistics()
    return Totals(counted.processes, counted.messages, counted.zombies, connections_of(runtime, endpoint), resident())
