"""Programs with what was observed of them, and which interpreter plays which kind."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import attrs
import trio
from trio.testing import MockClock

from tests.oracle import signals, supervisors

SAMPLE: Final = Path(__file__).with_name("sample.json")

Observation: TypeAlias = dict[str, object]
"""What one step was seen to do, as JSON; what did not happen is left out."""

INTERPRETERS: Final[Mapping[str, Callable[[Mapping[str, object]], Awaitable[list[Observation]]]]] = {
    "signals": signals.play,
    "supervisors": supervisors.play,
}
"""By kind of program; those of other kinds are skipped."""


@attrs.frozen
class Program:
    """One program of a file."""

    kind: str
    number: int
    source: Mapping[str, object]
    """All of it, as its interpreter wants it."""
    observed: list[Observation]
    """By the BEAM, one for each step."""

    def __str__(self) -> str:
        """Name it."""
        return f"{self.kind} {self.number}"

    def differences(self) -> list[str]:
        """Play it on a mock clock, and describe each step that was seen to do something else."""
        seen = trio.run(INTERPRETERS[self.kind], self.source, clock=MockClock())
        return [
            f"{self} step {index}: expected {json.dumps(expected)}, seen {json.dumps(got)}"
            for index, (expected, got) in enumerate(zip(self.observed, seen, strict=True))
            if got != expected
        ]


def load(path: Path) -> list[Program]:
    """Read a file of programs."""
    return [
        Program(source["kind"], source["id"], source, source["observed"]) for source in json.loads(path.read_text())
    ]
