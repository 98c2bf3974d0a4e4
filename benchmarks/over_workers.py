"""What two workers cost beside one process, on the same work: CPU time of all processes that serve, summed.

    .venv/bin/python -m benchmarks.over_workers [ROUNDS]
    .venv/bin/python -m benchmarks.over_workers idle [SECONDS]

All servers run on one core, the load on the other. In each round the two servers take turns. With workers the clients
are spread over both by the kernel, so about half of the deliveries of a broadcast are made by another process than the
one that was asked for it. Idle, nobody is connected: the workers beat, to one another and to their parent.

A pass of the scheduler takes what has come from all clients of a process, and its fixed work is shared by them. So the
echo is measured in two ways: with the same clients in all, of which each worker has half, and with the same clients for
each process, where workers have passes as large as one process. Beside the first, two programs that know nothing of
each other have the same clients: what they cost more than one process is the size of the passes, and not workers.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Final

import attrs

from benchmarks.command_line import progress, tell
from benchmarks.load.command_line import Load
from benchmarks.load.crowd import Storm
from benchmarks.load.dialects import Fault
from benchmarks.load.echo import Echo
from benchmarks.load.fanout import FanOut
from benchmarks.load.figures import Figures
from benchmarks.os_process import Cores, OsProcess, OsProcesses, cores, raise_file_limit
from benchmarks.report import verdict
from benchmarks.servers.catalogue import PHXACTOR
from benchmarks.serving import Kind, serving
from benchmarks.spread import Spread, digits, spread, table
from benchmarks.suite import drive_at, measure

ROUNDS: Final = 5
IDLE: Final = 60
"""Seconds that idle servers are watched."""
START: Final = 2.0
"""Seconds after which a server has started."""
WORKERS: Final = 2
BY_WORKERS: Final = attrs.evolve(
    PHXACTOR, name="two workers", command=(*PHXACTOR.command, f"--workers={WORKERS}"), workers=WORKERS
)


@attrs.frozen
class Row:
    """A load, and how much more it may cost with two workers."""

    name: str
    load: Load
    limit: float | None
    of_workers: Load | None = None
    """The load of the workers where it is another one."""
    apart: bool = False
    """Whether two programs without workers, which know nothing of each other, take the place of the workers."""


ECHO: Final = Echo(connections=50, warmup=0.5, seconds=2)
ROWS: Final = (
    Row("echo, 50 clients in all", ECHO, 1.05),
    Row("the same by two programs without workers", ECHO, None, apart=True),
    Row("echo, 50 clients a process", ECHO, 1.05, attrs.evolve(ECHO, connections=100)),
    Row("echo, 25 clients a process", attrs.evolve(ECHO, connections=25), 1.05, ECHO),
    Row("echo, 50 clients in all, 8 outstanding", attrs.evolve(ECHO, window=8), 1.05),
    Row("fan-out to 1000, half of them elsewhere", FanOut(warmup=0.5, seconds=2), 1.1),
    Row("fan-out to 1000, 1 KB", FanOut(payload=1024, warmup=0.5, seconds=2), 1.1),
    Row("storm, connect and join", Storm(), None),
)


def run(rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return the CPU microseconds of an operation by row: of one process and of the workers, in each round."""
    found: dict[str, list[tuple[float, float]]] = {row.name: [] for row in ROWS}
    where = cores()
    for progressed, row in progress(ROWS * rounds):
        alone = measure(PHXACTOR, row.load, where).cpu_us
        load = row.of_workers or row.load
        together = (apart(load, where) if row.apart else measure(BY_WORKERS, load, where)).cpu_us
        found[row.name].append((alone, together))
        tell(f"{progressed} {row.name}: {alone:.1f} and {together:.1f} µs, {together / alone:.2f}")
    return found


def apart(load: Load, where: Cores) -> Figures:
    """Run a load against two programs without workers, whose clients take turns at them; raises `Fault`."""
    with serving(PHXACTOR, where) as one, serving(PHXACTOR, where) as other:
        return drive_at([one.port, other.port], [one.pid, other.pid], PHXACTOR.dialect, load, where)


def write(found: dict[str, list[tuple[float, float]]]) -> str:
    """Write the table. Others on the machine only add to CPU time, so what counts is the least of all rounds."""
    rows: list[Sequence[str]] = [("", "one process", "two workers", "ratio", "of the least", "target", "")]
    for row in ROWS:
        alone, together = zip(*found[row.name], strict=True)
        ratio = spread([each / other for other, each in found[row.name]])
        least = spread([min(together) / min(alone)])
        compared = ("", "") if row.limit is None else (f"{row.limit:g}", verdict(least, row.limit))
        rows.append((row.name, _micros(spread(alone)), _micros(spread(together)), str(ratio), str(least), *compared))
    return table(rows)


def _micros(found: Spread) -> str:
    return f"{digits(found.median)} µs"


def idle(kind: Kind, seconds: float) -> float:
    """Return the CPU milliseconds that an idle server needs in a second, with the parent of workers."""
    with serving(kind, cores()) as server:
        time.sleep(START)
        processes = OsProcesses(tuple(OsProcess(pid) for pid in {server.pid, *server.pids()}))
        before = processes.cpu_ns()
        time.sleep(seconds)
        return (processes.cpu_ns() - before) / 1e6 / seconds


def main() -> int:
    """Run it; the status is 1 after a wrong answer."""
    raise_file_limit()
    if sys.argv[1:2] == ["idle"]:
        seconds = float(sys.argv[2]) if len(sys.argv) > 2 else IDLE
        for kind in (PHXACTOR, BY_WORKERS):
            print(f"{kind.name}, idle: {idle(kind, seconds):.2f} ms of CPU time a second")
        return 0
    try:
        print(write(run(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)))
    except Fault as fault:
        tell(f"no figures: {fault}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
