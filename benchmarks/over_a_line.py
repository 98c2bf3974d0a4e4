"""What a broadcast costs whose clients are at another worker, beside one whose clients are at the same process.

    .venv/bin/python -m benchmarks.over_a_line [ROUNDS]

One client shouts at worker A, and all others are at worker B; or all are at one process, without a cluster. What
counts is the CPU time of all processes that serve. With 1,000 clients at B, a delivery is compared. With one client
at B nearly all that two workers need beyond one process is the way between them: that is told for each broadcast and
each of the two nodes, in floors. Alone, the next shout follows when all have got the last one, so all processes fall
asleep in between, and each node is woken for each broadcast. In batches eight shouts are on their way.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

import attrs

from benchmarks.command_line import progress, tell
from benchmarks.load.dialects import Fault
from benchmarks.load.fanout import FanOut
from benchmarks.load.figures import Figures
from benchmarks.os_process import Cores, cores, raise_file_limit
from benchmarks.report import verdict
from benchmarks.servers.catalogue import FLOOR, PHXACTOR
from benchmarks.serving import serving
from benchmarks.spread import digits, spread, table
from benchmarks.suite import YARDSTICK, drive_at, measure

ROUNDS: Final = 5
NODES: Final = 2
ON_A_LINE: Final = attrs.evolve(PHXACTOR, name="worker", command=(sys.executable, "-m", "benchmarks.servers.on_a_line"))


@attrs.frozen
class Row:
    """A load; the limit is of the ratio of a delivery, or of the floors that each node needs for the way between."""

    name: str
    load: FanOut
    limit: float
    beside: bool


ROWS: Final = (
    Row("a delivery, 1000 clients elsewhere, as a ratio", FanOut(warmup=0.5, seconds=2), 1.1, beside=False),
    Row("a broadcast beside, each node, alone", FanOut(clients=1, warmup=0.5, seconds=2), 4, beside=True),
    Row(
        "a broadcast beside, each node, in batches", FanOut(clients=1, window=8, warmup=0.5, seconds=2), 4, beside=True
    ),
)


def across(load: FanOut, where: Cores) -> Figures:
    """Run a load whose publisher is at one node and whose other clients are at another one; raises `Fault`."""
    with ExitStack() as stack:
        servers = []
        for end in socket.socketpair():
            stack.enter_context(end)
            kind = attrs.evolve(ON_A_LINE, command=(*ON_A_LINE.command, f"--line={end.fileno()}"))
            servers.append(stack.enter_context(serving(kind, where, pass_fds=(end.fileno(),))))
        one, two = servers
        ports = [one.port, *[two.port] * load.clients]
        return drive_at(ports, (one.pid, two.pid), PHXACTOR.dialect, load, where)


def run(rounds: int) -> dict[str, list[float]]:
    """Return the figures of each row, one for each round."""
    found: dict[str, list[float]] = {row.name: [] for row in ROWS}
    where = cores()
    for progressed, row in progress(ROWS * rounds):
        floor = measure(FLOOR, YARDSTICK, where).cpu_us
        local, elsewhere = measure(PHXACTOR, row.load, where).cpu_us, across(row.load, where).cpu_us
        members = row.load.clients + 1
        beside = (elsewhere - local) * members / NODES / floor
        found[row.name].append(beside if row.beside else elsewhere / local)
        tell(f"{progressed} {row.name}: {local:.2f} and {elsewhere:.2f} µs, {found[row.name][-1]:.2f}")
    return found


def write(found: dict[str, list[float]]) -> str:
    """Write the table."""
    rows: list[Sequence[str]] = [("", "found", "target", "")]
    for row in ROWS:
        figure = spread(found[row.name])
        rows.append((row.name, str(figure), digits(row.limit), verdict(figure, row.limit)))
    return table(rows)


def main() -> int:
    """Run it; the status is 1 after a wrong answer."""
    raise_file_limit()
    try:
        print(write(run(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)))
    except Fault as fault:
        tell(f"no figures: {fault}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
