"""Measures processes beside bare trio and other systems of actors, and prints one table.

python -m benchmarks.processes --repeat 5 --json figures.json
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

import attrs
import orjson

from benchmarks.actors.systems import OTHERS, PHXACTOR, TRIO, Piece, System
from benchmarks.command_line import at_least_one, tell
from benchmarks.os_process import cores
from benchmarks.report import machine, verdict
from benchmarks.serving import ROOT
from benchmarks.spread import Spread, digits, spread, table


@attrs.frozen
class Row:
    """A piece of work, and what it may cost: so many floors, or so many of its unit."""

    title: str
    piece: Piece
    unit: str
    floor: Piece | None
    """What bare trio does meanwhile: the target is a ratio to it."""
    target: float


ROWS: Final = (
    Row("send and receive, there and back", "round_trip", "µs", "round_trip", 1.4),
    Row("spawn to exit", "spawn", "µs", "spawn", 2.2),
    Row("the same, 1000 at a time", "crowd", "µs", "crowd", 2.2),
    Row("call of a GenServer", "call", "µs", "round_trip", 2.0),
    Row("idle process", "idle", "KB", None, 4),
    Row("100,000 linked, gone after a crash", "chain", "s", None, 10),
)

TURNS: Final = 20
"""How often ours and the floor take turns in one interpreter."""

Figures: TypeAlias = dict[Piece, defaultdict[str, list[float]]]
"""All figures by row and system. Those of ours and of the floor that stand at the same place were one turn."""


def measure(jobs: Sequence[tuple[System, Piece]], times: int, core: int) -> list[list[float]]:
    """Do pieces of work in turn, in a fresh interpreter; the list of a piece that a system does not have is empty.

    Raises subprocess.CalledProcessError; what went wrong stands on stderr.
    """
    arguments = [f"{system.module}:{piece}" for system, piece in jobs]
    command = [sys.executable, "-m", "benchmarks.actors", str(times), *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    os.sched_setaffinity(process.pid, {core})
    output, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    figures: list[list[float]] = orjson.loads(output)
    return figures


def run(others: Sequence[System], repeat: int) -> Figures:
    """Do everything so many times."""
    figures: Figures = {row.piece: defaultdict(list) for row in ROWS}
    core = cores().server
    for _ in range(repeat):
        for row in ROWS:
            for jobs in _jobs(row, others):
                for (system, _), found in zip(jobs, measure(jobs, TURNS if len(jobs) > 1 else 1, core), strict=True):
                    figures[row.piece][system.name] += found
                    if found:
                        tell(f"{row.title}, {system.name}: {spread(found)} {row.unit}")
    return figures


def _jobs(row: Row, others: Sequence[System]) -> list[list[tuple[System, Piece]]]:
    """List what is done in an interpreter of its own, for a row."""
    alone = [[(system, row.piece)] for system in others]
    if row.floor is None:
        return [[(TRIO, row.piece)], [(PHXACTOR, row.piece)], *alone]
    return [[(TRIO, row.floor), (PHXACTOR, row.piece)], *alone]


def ratio(figures: Figures, row: Row) -> Spread:
    """Say what the target is about: floors, or the figure itself."""
    ours = figures[row.piece][PHXACTOR.name]
    if row.floor is None:
        return spread(ours)
    return spread(one / floor for one, floor in zip(ours, figures[row.piece][TRIO.name], strict=True))


def write(figures: Figures, others: Sequence[System]) -> str:
    """Write the table."""
    header = ["", "", "bare trio", "phxactor", "ratio", "target", "", *(system.name for system in others)]
    return table([header, *(_row(figures, row, others) for row in ROWS)])


def _row(figures: Figures, row: Row, others: Sequence[System]) -> list[str]:
    cells = {name: digits(spread(found).median) if found else "-" for name, found in figures[row.piece].items()}
    found = ratio(figures, row)
    return [
        row.title,
        row.unit,
        cells[TRIO.name],
        cells[PHXACTOR.name],
        str(found) if row.floor else "",
        f"{row.target:g}" if row.floor else f"{row.target:g} {row.unit}",
        verdict(found, row.target),
        *(cells[system.name] for system in others),
    ]


def as_data(figures: Figures) -> dict[str, object]:
    """Give everything that was found out, and where, as data for JSON."""
    rows = [
        {
            "name": row.title,
            "unit": row.unit,
            "target": row.target,
            "target_is_ratio_to": row.floor,
            "found": attrs.asdict(ratio(figures, row)),
            "runs": figures[row.piece],
        }
        for row in ROWS
    ]
    return {"machine": machine(), "rows": rows}


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.processes", description=__doc__.partition("\n")[0])
    parser.add_argument("--repeat", type=at_least_one, default=3, metavar="N", help="runs of each (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all figures")
    chosen = parser.parse_args()
    others = [system for system in OTHERS if system.installed()]
    for system in OTHERS:
        if system not in others:
            tell(f"{system.name} is not installed, and left out")
    figures = run(others, chosen.repeat)
    print(write(figures, others))
    if chosen.json is not None:
        chosen.json.write_bytes(orjson.dumps(as_data(figures), option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    main()
