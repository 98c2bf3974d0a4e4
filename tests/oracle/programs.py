"""Programs with what was observed of them, and which interpreter plays which kind."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs
import trio
from trio.testing import MockClock

from tests.oracle import signals, supervisors
from tests.oracle.order import batches

SAMPLE: Final = Path(__file__).with_name("sample.json")

FOR_EVER: Final = 1e12
"""Seconds of the mock clock: longer than any program takes."""

Source: TypeAlias = Mapping[str, Any]
"""A program, as its interpreter wants it."""
Observation: TypeAlias = dict[str, object]
"""What one step was seen to do, as JSON; what did not happen is left out."""

INTERPRETERS: Final[Mapping[str, Callable[[Source], Awaitable[list[Observation]]]]] = {
    "signals": signals.play,
    "supervisors": supervisors.play,
}
"""By kind of program; those of other kinds are skipped."""


@attrs.frozen
class Program:
    """One program of a file."""

    kind: str
    number: int
    source: Source
    observed: list[Observation]
    """By the BEAM, one for each step."""

    def __str__(self) -> str:
        """Name it."""
        return f"{self.kind} {self.number}"

    def differences(self, *, backwards: bool = False) -> list[str]:
        """Play it on a mock clock, and describe each step that was seen to do something else.

        Tasks run in the order in which they became ready, or in the reverse: not in either by chance, as in trio.
        """
        try:
            with batches(backwards=backwards):
                seen = trio.run(self.play, clock=MockClock())
        except Exception as error:  # noqa: BLE001 - whatever it is, the other programs are to be played too
            return [f"{self}: cannot be played: {error!r}"]
        return [
            f"{self} step {index}: expected {json.dumps(expected)}, seen {json.dumps(got)}"
            for index, (expected, got) in enumerate(zip(self.observed, seen, strict=True))
            if sort(got) != sort(expected)
        ]

    async def play(self) -> list[Observation]:
        """Play it, unless it never ends."""
        with trio.fail_after(FOR_EVER):
            return await INTERPRETERS[self.kind](self.source)


def sort(observation: Observation) -> Observation:
    """Bring what is sorted in the record, as its order is open, into one order, whichever that was."""
    match observation:
        case {"mail": dict(mail)}:
            boxes = {actor: {**box, "noproc": sorted(box.get("noproc", []))} for actor, box in mail.items()}
            return {**observation, "mail": boxes}
    return observation


def load(path: Path) -> list[Program]:
    """Read a file of programs."""
    return [
        Program(source["kind"], source["id"], source, source["observed"]) for source in json.loads(path.read_text())
    ]
