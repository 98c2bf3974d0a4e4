"""The loads, what each may cost, and one run of all of them with the floor measured in between."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Final

import attrs
import orjson

from benchmarks.load.command_line import Load, write
from benchmarks.load.crowd import Idle, Storm
from benchmarks.load.dialects import Fault
from benchmarks.load.echo import Echo, Multi
from benchmarks.load.fanout import FanOut
from benchmarks.load.figures import Figures
from benchmarks.os_process import Cores
from benchmarks.servers import FLOOR, PHXACTOR, ROOT, Kind, serving


@attrs.frozen
class Case:
    """A load, and what phxactor may cost under it: as a ratio to the floor, or in KB per client."""

    name: str
    load: Load
    target: float | None
    """What has to hold now."""
    goal: float
    """What is to be reached."""
    weighed: bool = False
    """Whether it is about KB."""


CASES: Final = (
    Case("echo, 50 clients", Echo(), 2.2, 1.6),
    Case("echo, 50 clients, 8 outstanding", Echo(window=8), None, 0.9),
    Case("multi, 100 topics, 8 outstanding", Multi(), None, 1.3),
    Case("fan-out to 1000", FanOut(), 0.85, 0.5),
    Case("fan-out to 1000, 1 KB", FanOut(payload=1024), None, 0.5),
    Case("storm, connect and join", Storm(), None, 16),
    Case("idle client", Idle(), None, 14, weighed=True),
)

YARDSTICK: Final = Echo()


@attrs.frozen
class Pace:
    """How long each load is measured; a crowd takes as long as it takes."""

    warmup: float
    seconds: float

    def set(self, load: Load) -> Load:
        """Set a load's times, where it has any."""
        if isinstance(load, Echo | Multi | FanOut):
            return attrs.evolve(load, warmup=self.warmup, seconds=self.seconds)
        return load


@attrs.frozen
class Run:
    """One run of one case."""

    figures: Figures
    floor_us: float
    """The floor's CPU time per echo, the mean of before and after."""

    @property
    def ratio(self) -> float:
        """CPU time per operation, in floors."""
        return self.figures.cpu_us / self.floor_us


@attrs.define
class Result:
    """All runs of a case; one wrong answer spoils them."""

    case: Case
    runs: list[Run] = attrs.Factory(list)
    fault: str | None = None


@attrs.frozen
class Suite:
    """How the cases are run."""

    cores: Cores
    pace: Pace
    repeat: int
    tell: Callable[[str], None]
    """Takes a line about what has just been found out."""

    def run(self, cases: Sequence[Case]) -> tuple[list[Figures], list[Result]]:
        """Run every case so many times, the floor before and after each; returns the floor's figures and the cases'.

        Raises `Fault` when there is no floor.
        """
        results = [Result(case) for case in cases]
        floors = [self._floor()]
        for result in results * self.repeat:
            if result.fault is None:
                try:
                    figures = self._measure(PHXACTOR, result.case.load)
                except Fault as fault:
                    result.fault = str(fault)
                    self.tell(f"{result.case.name}: {fault}")
                else:
                    floors.append(self._floor())
                    run = Run(figures, (floors[-2].cpu_us + floors[-1].cpu_us) / 2)
                    result.runs.append(run)
                    weight = "" if figures.kb is None else f", {figures.kb:.1f} KB"
                    self.tell(f"{result.case.name}: {figures.cpu_us:.1f} µs, {run.ratio:.2f} floors{weight}")
        return floors, results

    def _floor(self) -> Figures:
        figures = self._measure(FLOOR, YARDSTICK)
        self.tell(f"floor: {figures.cpu_us:.1f} µs")
        return figures

    def _measure(self, kind: Kind, load: Load) -> Figures:
        """Run one load against a fresh server; raises `Fault`."""
        with serving(kind, self.cores.server) as server:
            address = [f"--port={server.port}", f"--server-pid={server.pid}", f"--dialect={kind.dialect}"]
            arguments = [*write(self.pace.set(load)), *address]
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.load", *arguments], cwd=ROOT, stdout=subprocess.PIPE
            )
            os.sched_setaffinity(process.pid, {self.cores.load})
            output, _ = process.communicate()
            answer = orjson.loads(output or b"{}")
            if process.returncode:
                raise Fault(answer.get("fault", f"the load generator ended with {process.returncode}"))
            return Figures(**answer)
