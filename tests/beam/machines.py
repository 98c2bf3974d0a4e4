"""The BEAM: two virtual machines that play programs, one with one scheduler, one with four, by several schedules each.

Only what all schedules agree on is taken for what the BEAM does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, takewhile
from pathlib import Path
from threading import Timer
from typing import Final

import attrs

from tests.oracle.programs import Observation, Program, Source

SCRIPT: Final = Path(__file__).with_name("elixir") / "main.exs"
PATIENCE: Final = 300.0
"""Seconds for one batch by one schedule."""


@attrs.frozen
class Schedule:
    """A way to play: `elixir/stage.exs` says what the first six mean."""

    schedulers: int
    first: str | None = None
    settle: bool = False
    late: bool = False
    stack: bool = False
    yields: bool = False
    at_once: int = 64
    """How many programs are played at the same time."""

    def matters_to(self, source: Source) -> bool:
        """Tell whether it is one of its own for this program: in trees nothing is told in bursts."""
        return source["kind"] == "signals" or not (self.settle or self.late or self.first == "young")


SCHEDULES: Final[Mapping[int, Sequence[Schedule]]] = {
    1: (
        Schedule(1),
        Schedule(1, first="even"),
        Schedule(1, first="odd"),
        Schedule(1, first="young"),
        Schedule(1, settle=True),
        Schedule(1, settle=True, yields=True),
        Schedule(1, settle=True, stack=True, first="low"),
        Schedule(1, late=True, stack=True, first="high"),
    ),
    4: (Schedule(4), Schedule(4, yields=True), Schedule(4, settle=True, yields=True)),
}
"""By number of schedulers, which a machine has for life."""


@attrs.frozen
class Verdict:
    """What the BEAM does with a program, as far as it determines it."""

    source: Source
    observed: Sequence[Observation]
    """One for each step, up to the first of which schedules make different things."""
    quiet: bool = True
    """Whether everything came to rest, in every schedule."""

    @property
    def whole(self) -> bool:
        """Tell whether all steps are determined."""
        return len(self.observed) == len(self.source["steps"])

    @property
    def program(self) -> Program:
        """The program up to there."""
        steps = self.source["steps"][: len(self.observed)]
        return Program(self.source["kind"], self.source["id"], {**self.source, "steps": steps}, list(self.observed))


def agreed(source: Source, observed: Sequence[Sequence[Observation] | None]) -> Verdict:
    """Take what all schedules agree on."""
    heard = [steps for steps in observed if steps is not None]
    if len(heard) < len(observed):
        return Verdict(source, [], quiet=False)
    same = takewhile(lambda step: all(seen == step[0] for seen in step), zip(*heard, strict=True))
    return Verdict(source, [step[0] for step in same])


def available() -> bool:
    """Tell whether there is an Elixir."""
    return shutil.which("elixir") is not None


class Machine:
    """One virtual machine."""

    def __init__(self, schedulers: int) -> None:
        """Start it: takes a second."""
        self.schedules = SCHEDULES[schedulers]
        options = f"+S {schedulers}:{schedulers} +SDcpu 1 +SDio 1 +sbwt none"
        self.process = subprocess.Popen(
            ["elixir", "--erl", options, str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "LC_ALL": "C.UTF-8", "ERL_CRASH_DUMP_SECONDS": "0"},
        )

    def stop(self) -> None:
        """End it: it does, when there is nothing more to read."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(10)

    def play(self, sources: Sequence[Source]) -> list[list[list[Observation] | None]]:
        """Play programs by each schedule that matters to them; returns, for each, what was seen every time."""
        seen: list[list[list[Observation] | None]] = [[] for _ in sources]
        for schedule in self.schedules:
            chosen = [index for index, source in enumerate(sources) if schedule.matters_to(source)]
            played = self.play_by(schedule, [sources[index] for index in chosen])
            for index, steps in zip(chosen, played, strict=True):
                seen[index].append(steps)
        return seen

    def play_by(self, schedule: Schedule, sources: Sequence[Source]) -> list[list[Observation] | None]:
        """Play programs by one schedule."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        how = attrs.asdict(schedule)
        lines = [{"at_once": how.pop("at_once"), "schedule": how}, *sources]
        watchdog = Timer(PATIENCE, self.process.kill)
        watchdog.start()
        try:
            self.process.stdin.write("".join(json.dumps(line) + "\n" for line in lines) + "\n")
            self.process.stdin.flush()
            return [json.loads(self.process.stdout.readline() or self.fail()) for _ in sources]
        finally:
            watchdog.cancel()

    def fail(self) -> str:
        """Say that it ended too early."""
        raise RuntimeError(f"the BEAM ended with {self.process.wait(10)}; what it said stands above")


@contextmanager
def beam() -> Iterator[Callable[[Sequence[Source]], list[Verdict]]]:
    """Start the machines; gives a function that plays programs on all of them."""
    machines = [Machine(schedulers) for schedulers in SCHEDULES]
    with ThreadPoolExecutor(len(machines)) as pool:

        def observe(sources: Sequence[Source]) -> list[Verdict]:
            """Play programs."""
            played = pool.map(lambda machine: machine.play(sources), machines)
            return [agreed(source, list(chain(*seen))) for source, *seen in zip(sources, *played, strict=True)]

        try:
            yield observe
        finally:
            for machine in machines:
                machine.stop()
