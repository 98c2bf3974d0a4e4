"""What a `call` between two workers costs, beside a bare trio ping-pong of the same bytes over such a socket.

    .venv/bin/python -m benchmarks.call_over_a_line [ROUNDS]

Two nodes are joined by a socket pair, as two workers of one parent are. A process of one calls a GenServer of the
other, one call at a time. The floor is two trio programs that send as many bytes there and back by `send_all` and
`receive_some` over such a pair. What counts is the CPU time of both processes, from their own clocks; both processes of
a turn run on one core, so neither waits for the other on an idle one. Ours and the floor take turns.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from benchmarks.command_line import progress, tell
from benchmarks.os_process import OsProcess, cores
from benchmarks.report import verdict
from benchmarks.serving import ROOT
from benchmarks.spread import digits, spread, table

ROUNDS: Final = 9
CALLS: Final = 3000
"""Calls of one turn that count."""
COUNTED: Final = 200
"""Calls of the turn that counts bytes, and no time."""
TARGET: Final = 3.0
"""The most that a call may cost, in floors."""
SIDES: Final = ("answers", "asks")


def turn(kind: str, calls: int, core: int, *more: object) -> tuple[float, list[int]]:
    """Let two processes talk.

    Returns microseconds of both for each call, and what else the asking one says: bytes of a request and its answer on
    the line. Raises RuntimeError if one of the processes fails.
    """
    with ExitStack() as stack:
        ours, theirs = socket.socketpair()
        sides = []
        for side, end in zip(SIDES, (ours, theirs), strict=True):
            command = [sys.executable, "-m", f"benchmarks.servers.{kind}", side, str(end.fileno()), str(calls)]
            process = subprocess.Popen(
                [*command, *map(str, more)],
                cwd=ROOT,
                pass_fds=(end.fileno(),),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            os.sched_setaffinity(process.pid, {core})
            sides.append(process)
        ours.close()
        theirs.close()
        asker = sides[1]
        assert asker.stdin is not None  # noqa: S101 - for mypy: it is a pipe
        assert asker.stdout is not None  # noqa: S101 - the same
        if asker.stdout.readline() != "ready\n":
            raise RuntimeError(f"{kind} does not start")
        before = [OsProcess(one.pid).cpu_ns() for one in sides]
        asker.stdin.write("go\n")
        asker.stdin.flush()
        said = asker.stdout.readline().split()
        spent = sum(OsProcess(one.pid).cpu_ns() - was for one, was in zip(sides, before, strict=True))
        if not said or said[0] != "done":
            raise RuntimeError(f"{kind} has failed")
        return spent / 1000 / calls, [int(size) for size in said[1:]]


def run(rounds: int, calls: int = CALLS) -> tuple[list[float], list[float], list[int]]:
    """Return the microseconds of each of our turns and of each turn of the floor, and the bytes of a call."""
    core = cores().server
    called, floor = [], []
    _, sizes = turn("calling", COUNTED, core, "count")
    for progressed, _ in progress(range(rounds)):
        called.append(one := turn("calling", calls, core)[0])
        floor.append(turn("ping_pong", calls, core, *sizes)[0])
        tell(f"{progressed} a call {one:.1f} µs, the floor {floor[-1]:.1f} µs, {one / floor[-1]:.2f}")
    return called, floor, sizes


def write(called: Sequence[float], floor: Sequence[float], sizes: Sequence[int]) -> str:
    """Write the table."""
    ratio = spread(one / bare for one, bare in zip(called, floor, strict=True))
    return table(
        [
            ("", "call", "bare trio", "ratio", "target", ""),
            (
                f"CPU of both, µs; {sizes[0]} bytes there, {sizes[1]} back",
                str(spread(called)),
                str(spread(floor)),
                str(ratio),
                digits(TARGET),
                verdict(ratio, TARGET),
            ),
        ]
    )


def main() -> None:
    """Run it."""
    print(write(*run(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)))


if __name__ == "__main__":
    main()
