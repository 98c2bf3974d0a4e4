"""Programs with what was observed of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import attrs
import trio
from trio.testing import MockClock

from tests.nodes.oracle.letters import in_order
from tests.nodes.oracle.player import play
from tests.oracle.order import batches

SAMPLE: Final = Path(__file__).with_name("sample.json")
FOR_EVER: Final = 1e6
"""Seconds of the mock clock: longer than any program takes."""


@attrs.frozen
class Program:
    """One program of a file."""

    source: dict[str, Any]

    def __str__(self) -> str:
        """Name it."""
        return f"{self.source['kind']} {self.source['id']}"

    def differences(self, *, backwards: bool = False) -> list[str]:
        """Play it on a mock clock, and describe each step that was seen to do something else."""
        try:
            with batches(backwards=backwards):
                seen = trio.run(self._play, clock=MockClock(autojump_threshold=0))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            return [f"{self}: cannot be played: {error!r}"]
        return [
            f"{self} step {index} {json.dumps(step)}: expected {json.dumps(expected)}, seen {json.dumps(got)}"
            for index, (step, expected, got) in enumerate(
                zip(self.source["steps"], self.source["observed"], seen, strict=True)
            )
            if plain(got) != plain(expected)
        ]

    async def _play(self) -> list[dict[str, object]]:
        with trio.fail_after(FOR_EVER):
            return await play(self.source)


def plain(observation: dict[str, Any]) -> dict[str, Any]:
    """Bring what has no promised order into one, and all values into the form of JSON."""
    read: dict[str, Any] = json.loads(json.dumps(observation))
    for box in read.get("mail", {}).values():
        for sender, letters in box.items():
            box[sender] = in_order(letters)
    return read


def load(path: Path) -> list[Program]:
    """Read a file of programs."""
    return [Program(source) for source in json.loads(path.read_text())]
