"""What `phxactor workers` shows: one state of a parent and its workers, as a value, as JSON and as text."""

from __future__ import annotations

from typing import Self

import attrs
import cattrs
import orjson


@attrs.frozen(kw_only=True)
class WorkerState:
    """A worker, as its parent knows it. Its counts are those of its last sign of life, at most a second old."""

    number: int
    process: int
    """Its process id in the system."""
    generation: int
    """The reload that it came with, from 1."""
    state: str
    """`starting`, `ready`, `degraded` or `draining`."""
    why: str = ""
    """Why it is degraded."""
    age: float
    """Seconds since its start."""
    connections: int
    channels: int
    processes: int
    nodes: int
    """Other nodes that it sees."""
    restarts: int
    """How often a worker with this number was started again."""
    lag: float
    """Seconds by which its loop was late, or for which it has given no sign of life."""


@attrs.frozen(kw_only=True)
class ParentState:
    """A parent and its workers."""

    process: int
    program: str
    phase: str
    """`starting`, `serving`, `reloading` or `stopping`."""
    age: float
    """Seconds since its start."""
    generation: int
    """The reload that serves, from 1; 0 before the first workers are ready."""
    addresses: list[str]
    workers: list[WorkerState]

    def encode(self) -> bytes:
        """Write it as JSON."""
        return orjson.dumps(attrs.asdict(self))

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """Read what `encode` has written. Raises ValueError."""
        try:
            return cattrs.structure(orjson.loads(text), cls)
        except Exception as error:
            raise ValueError(f"no state of workers: {text!r:.200}") from error

    def text(self) -> str:
        """Write it as lines for people."""
        ready = sum(one.state == "ready" for one in self.workers)
        count = "1 worker" if ready == 1 else f"{ready} workers"
        head = f"{self.program}, pid {self.process}: {self.phase} for {_span(self.age)}, {count} ready"
        rows = [("worker", "pid", "age", "state", "connections", "channels", "processes", "nodes", "restarts", "lag")]
        rows += [
            (
                str(one.number),
                str(one.process),
                _span(one.age),
                f"{one.state} ({one.why})" if one.why else one.state,
                str(one.connections),
                str(one.channels),
                str(one.processes),
                str(one.nodes),
                str(one.restarts),
                f"{max(0.0, one.lag):.1f} s",
            )
            for one in self.workers
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join([head, *(f"listening on {one}" for one in self.addresses), "", *lines])


def _span(seconds: float) -> str:
    """Write a number of seconds with its largest unit, and the next."""
    whole = int(seconds)
    for unit, size, smaller, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "m", 60), ("m", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size}{unit} {whole % size // part}{smaller}"
    return f"{whole}s"
