"""A broadcast over two processes that share a Redis: phxactor beside python-socketio and Django Channels.

    .venv/bin/python -m benchmarks.beside_layers [ROUNDS]

Half of the clients are at each process, and one of them shouts; the next shout follows when all have got the last. What
counts is the CPU time of both processes and of Redis together, for each delivery, in floors.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

import attrs

from benchmarks.command_line import progress, tell
from benchmarks.load.command_line import Load
from benchmarks.load.dialects import Fault
from benchmarks.load.fanout import FanOut
from benchmarks.load.figures import Figures
from benchmarks.os_process import Cores, cores, raise_file_limit
from benchmarks.servers.catalogue import FLOOR, PHXACTOR, SOCKETIO, Program
from benchmarks.serving import free_port, serving, stop, wait_for
from benchmarks.spread import spread, table
from benchmarks.suite import YARDSTICK, drive_at, measure

ROUNDS: Final = 3
NODES: Final = 2
DJANGO_CHANNELS: Final = attrs.evolve(
    PHXACTOR, name="django-channels", command=(sys.executable, "-m", "benchmarks.servers.on_django_channels")
)
SERVERS: Final = (PHXACTOR, SOCKETIO, DJANGO_CHANNELS)
LOADS: Final = (FanOut(clients=100, warmup=0.5, seconds=2), FanOut(clients=1000, warmup=0.5, seconds=2))


@contextmanager
def redis(where: Cores) -> Iterator[tuple[str, int]]:
    """Start a Redis server on the servers' core; gives its URL and its process."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--save", "", "--dir", folder]
        with where.children_on(where.server):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_for(process, port)
            yield f"redis://127.0.0.1:{port}/0", process.pid
        finally:
            stop(process)


def run(kind: Program, load: Load, where: Cores) -> Figures:
    """Run one load on two nodes of a server; raises `Fault`."""
    with redis(where) as (url, redis_pid), ExitStack() as stack:
        node = attrs.evolve(kind, command=(*kind.command, f"--redis={url}"))
        nodes = [stack.enter_context(serving(node, where)) for _ in range(NODES)]
        ports = [one.port for one in nodes]
        pids = [*(one.pid for one in nodes), redis_pid]
        return drive_at(ports, pids, kind.dialect, load, where)


def main() -> int:
    """Run it; the status is 1 after a fault."""
    if shutil.which("redis-server") is None:
        tell("there is no redis-server here (Debian: apt install redis-server)")
        return 1
    raise_file_limit()
    where, status = cores(), 0
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    found: dict[tuple[str, int], list[float]] = {}
    for progressed, (kind, load) in progress([(kind, load) for kind in SERVERS for load in LOADS] * rounds):
        title = f"{progressed} fan-out to {load.clients}, {kind.name}"
        try:
            before = measure(FLOOR, YARDSTICK, where)
            figures = run(kind, load, where)
        except Fault as fault:
            tell(f"{title}: {fault}")
            status = 1
        else:
            found.setdefault((kind.name, load.clients), []).append(figures.cpu_us / before.cpu_us)
            tell(f"{title}: {figures.cpu_us:.2f} µs, {figures.cpu_us / before.cpu_us:.2f} floors")
    rows: list[Sequence[str]] = [("", *(f"to {load.clients}" for load in LOADS))]
    for kind in SERVERS:
        cells = (found.get((kind.name, load.clients)) for load in LOADS)
        rows.append((kind.name, *("-" if each is None else f"{spread(each)} floors" for each in cells)))
    print(table(rows))
    return status


if __name__ == "__main__":
    sys.exit(main())
