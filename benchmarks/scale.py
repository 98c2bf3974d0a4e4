"""Very many clients on workers: what one weighs, how fast they join, and how long others wait for a broadcast to all.

    .venv/bin/python -m benchmarks --scale 100000

A process may have so many open files (`ulimit -Hn`), so clients are spread over workers, and over as many load
generators, each of which connects from an address of its own (127.0.0.2 and on): a client's port is one of 28,000.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import orjson

from benchmarks.command_line import tell
from benchmarks.load.dialects import Fault
from benchmarks.os_process import OsProcess, OsProcesses
from benchmarks.report import machine
from benchmarks.servers.catalogue import PHXACTOR
from benchmarks.serving import ROOT, free_port, stop, wait_for, wait_for_workers
from benchmarks.spread import digits, table

STEPS: Final = (1_000, 10_000, 100_000)
FULL: Final = 0.85
"""Share of a process's open files that clients may take: the kernel does not spread them evenly."""
SHOUTS: Final = 5
BESIDE: Final = 3.0
"""Seconds of echoes, within which a broadcast goes to all."""


@attrs.frozen
class Found:
    """What one number of clients has shown."""

    clients: int
    kb: float
    """Resident memory of the workers for each client."""
    joins: float
    """Clients that have joined, per second."""
    cpu_us: float
    """CPU time of the workers for each of them."""
    delivery_us: float
    """CPU time of the workers for each delivery of a broadcast to all."""
    seconds: float
    """From a broadcast to its last delivery, the longest of several."""
    p50_ms: float
    """Median of an echo beside it."""
    max_ms: float
    """The slowest echo."""


@attrs.define
class Generator:
    """A load generator that runs."""

    process: subprocess.Popen[str]

    def tell(self, line: str) -> None:
        """Give it something to do."""
        assert self.process.stdin is not None  # noqa: S101 - it is a pipe
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, float]:
        """Wait for its answer. Raises `Fault`."""
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        found = orjson.loads(self.process.stdout.readline() or b'{"fault": "a load generator has ended"}')
        if "fault" in found:
            raise Fault(str(found["fault"]))
        answer: dict[str, float] = found
        return answer


@contextmanager
def workers(number: int) -> Iterator[tuple[int, OsProcesses]]:
    """Serve by so many workers; gives the port and the workers."""
    port = free_port()
    with tempfile.TemporaryFile() as output:
        command = [*PHXACTOR.command, f"--port={port}", f"--workers={number}"]
        parent = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
        try:
            wait_for(parent, port)
            wait_for_workers(parent, output)
            yield port, OsProcesses(OsProcess(parent.pid).children())
        except Fault:
            output.seek(0)
            tell(output.read().decode(errors="replace")[-2000:])
            raise
        finally:
            stop(parent)


@contextmanager
def generators(number: int, port: int) -> Iterator[list[Generator]]:
    """Start so many load generators."""
    started = []
    try:
        for index in range(number):
            source = f"127.0.0.{index + 2}"
            command = [sys.executable, "-m", "benchmarks.load.many", f"--port={port}", f"--source={source}"]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            started.append(Generator(subprocess.Popen(command, cwd=ROOT, **pipes)))  # type: ignore[call-overload]
        yield started
    finally:
        for one in started:
            one.process.kill()
            one.process.communicate()


def run(clients: int, processes: int) -> Found:
    """Do one number of clients; raises `Fault`."""
    with workers(processes) as (port, served), generators(processes, port) as load:
        for one in load:
            one.tell("join 20")  # what is imported and cached at the first use
        _answers(load)
        rest = clients - 20 * processes
        kb, cpu = served.rss_kb(), served.cpu_ns()
        shares = [rest // processes + (index < rest % processes) for index in range(processes)]
        for one, share in zip(load, shares, strict=True):
            one.tell(f"join {share}")
        seconds = max(answer["seconds"] for answer in _answers(load))
        time.sleep(1)
        grown, worked = served.rss_kb() - kb, served.cpu_ns() - cpu
        cpu, longest = served.cpu_ns(), 0.0
        for number in range(1, SHOUTS + 1):
            _ask(load[0], "shout")
            longest = max(longest, _delivered(load, number))
        delivery = (served.cpu_ns() - cpu) / 1e3 / SHOUTS / clients
        load[-1].tell(f"echo {BESIDE}")
        time.sleep(BESIDE / 3)
        _ask(load[0], "shout")
        echo = load[-1].answer()
        _delivered(load, SHOUTS + 1)
    return Found(
        clients, grown / rest, rest / seconds, worked / 1e3 / rest, delivery, longest, echo["p50_ms"], echo["max_ms"]
    )


def _ask(one: Generator, line: str) -> dict[str, float]:
    one.tell(line)
    return one.answer()


def _answers(load: Sequence[Generator]) -> list[dict[str, float]]:
    return [one.answer() for one in load]


def _delivered(load: Sequence[Generator], number: int) -> float:
    for one in load:
        one.tell(f"delivered {number}")
    return _answers(load)[0]["seconds"]  # that one has shouted, and all others have answered too


def write(found: Sequence[Found]) -> str:
    """Write the table."""
    head = ("clients", "KB each", "joins/s", "CPU µs", "delivery µs", "to all s", "echo beside, p50 ms", "max ms")
    rows = [tuple(digits(value) for value in attrs.astuple(one)[1:]) for one in found]
    return table([head, *((f"{one.clients:,}", *row) for one, row in zip(found, rows, strict=True))])


def grow_to(most: int, output: Path | None) -> int:
    """Go through the numbers of clients up to one, print the table, write JSON; the status is 1 after a fault."""
    files = int(resource.getrlimit(resource.RLIMIT_NOFILE)[1] * FULL)
    found = []
    status = 0
    for clients in [*(step for step in STEPS if step < most), most]:
        processes = max(2, -(-clients // files))
        tell(f"{clients:,} clients on {processes} workers ...")
        try:
            found.append(run(clients, processes))
        except Fault as fault:
            tell(f"No figures for {clients:,} clients: {fault}")
            status = 1
        else:
            tell(str(found[-1]))
    print(write(found))
    if output is not None:
        data = {"machine": machine(), "found": [attrs.asdict(one) for one in found]}
        output.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2))
    return status
