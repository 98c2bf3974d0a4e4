"""The loads, what each may cost, and one run of all of them with the floor measured in between."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Final

import attrs
import orjson

from benchmarks.command_line import progress
from benchmarks.load.command_line import Load, write
from benchmarks.load.crowd import Idle, Storm
from benchmarks.load.dialects import Fault
from benchmarks.load.echo import Echo, Multi
from benchmarks.load.fanout import FanOut
from benchmarks.load.figures import Figures
from benchmarks.os_process import Cores
from benchmarks.servers.catalogue import FLOOR
from benchmarks.serving import ROOT, Kind, Server, serving


@attrs.frozen
class Case:
    """A load, and what phxactor may cost under it: as a ratio to the floor, or in KB per client."""

    name: str
    load: Load
    target: float
    weighed: bool = False
    """Whether it is about KB."""


ECHO: Final = Case("echo, 50 clients", Echo(), 1.6)

CASES: Final = (
    ECHO,
    Case("echo, 50 clients, 8 outstanding", Echo(window=8), 0.9),
    Case("multi, 100 topics, 8 outstanding", Multi(), 1.3),
    Case("fan-out to 1000", FanOut(), 0.5),
    Case("fan-out to 1000, 1 KB", FanOut(payload=1024), 0.5),
    Case("storm, connect and join", Storm(), 16),
    Case("idle client", Idle(), 14, weighed=True),
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
    """All runs of a case on one server; one wrong answer spoils them."""

    server: str
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

    def run(self, kinds: Sequence[Kind], cases: Sequence[Case]) -> tuple[list[Figures], list[Result]]:
        """Run every case on every server so many times, the floor before and after each; returns the floor's, too.

        Raises `Fault` when there is no floor.
        """
        jobs = [(kind, Result(kind.name, case)) for case in cases for kind in kinds]
        floors = [self._floor()]
        for where, (kind, result) in progress(jobs * self.repeat):
            if result.fault is not None:
                continue
            title = f"{where} {result.case.name}, {result.server}"
            try:
                figures = measure(kind, self.pace.set(result.case.load), self.cores)
            except Fault as fault:
                result.fault = str(fault)
                self.tell(f"{title}: {fault}")
            else:
                floors.append(self._floor())
                run = Run(figures, (floors[-2].cpu_us + floors[-1].cpu_us) / 2)
                result.runs.append(run)
                weight = "" if figures.kb is None else f", {figures.kb:.1f} KB"
                self.tell(f"{title}: {figures.cpu_us:.1f} µs, {run.ratio:.2f} floors{weight}")
        return floors, [result for _, result in jobs]

    def _floor(self) -> Figures:
        return measure(FLOOR, self.pace.set(YARDSTICK), self.cores)


def measure(kind: Kind, load: Load, cores: Cores) -> Figures:
    """Run one load against a fresh server; raises `Fault`."""
    with serving(kind, cores) as server:
        return drive(server, load, cores)


def drive(server: Server, load: Load, cores: Cores) -> Figures:
    """Run one load against a server; raises `Fault`."""
    return drive_at([server.port], server.pids(), server.kind.dialect, load, cores)


def drive_at(ports: Sequence[int], pids: Sequence[int], dialect: str, load: Load, cores: Cores) -> Figures:
    """Run one load against several processes as one server; clients take turns at the ports. Raises `Fault`."""
    address = [*(f"--port={port}" for port in ports), *(f"--server-pid={pid}" for pid in pids), f"--dialect={dialect}"]
    command = [sys.executable, "-m", "benchmarks.load", *write(load), *address]
    with cores.children_on(cores.load):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    output, _ = process.communicate()
    answer = orjson.loads(output or b"{}")
    if process.returncode:
        raise Fault(answer.get("fault", f"the load generator ended with {process.returncode}"))
    return Figures(**answer)
