"""How what phxactor costs grows with clients and topics, and how long it keeps others waiting; `--growth` runs it."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import attrs
import orjson

from benchmarks.command_line import progress, tell
from benchmarks.load.bystander import Bystander
from benchmarks.load.command_line import Load
from benchmarks.load.dialects import Fault
from benchmarks.load.echo import Echo, Multi
from benchmarks.load.figures import Figures
from benchmarks.os_process import Cores, cores
from benchmarks.report import machine, verdict
from benchmarks.servers.catalogue import FLOOR, PHXACTOR, Program
from benchmarks.serving import serving
from benchmarks.spread import Spread, spread, table
from benchmarks.suite import YARDSTICK, drive, measure

SPARE: Final = 200
"""Files that a process has open beside its connections."""
MANY: Final = attrs.evolve(PHXACTOR, dialect="phoenix-many")
"""Ours, on its socket for any number of channels."""


@attrs.frozen
class Found:
    """What one run of one load found out."""

    figures: Figures
    floor_us: float
    """The floor's CPU time per echo, the mean of before and after."""
    pause_ms: float
    """The longest garbage collection of the server, from the first client on."""


@attrs.frozen
class Size:
    """A load, and how many clients it needs."""

    name: str
    load: Load
    clients: int
    server: Program = MANY


@attrs.frozen
class Question:
    """What is compared: a figure of each size, with a limit for the last ones, or for how they compare to the first."""

    name: str
    unit: str
    figure: Callable[[Found], float]
    limit: float | None
    sizes: tuple[str, ...]
    relative: bool = False
    """Whether the limit is a multiple of the first size's figure."""


CLIENTS: Final = tuple(Size(f"{each:,} clients", Echo(connections=each), each) for each in (100, 1_000, 10_000))
FLOORS: Final = tuple(Size(f"floor, {each.name}", each.load, each.clients, FLOOR) for each in CLIENTS)
TOPICS: Final = tuple(Size(f"{each:,} topics", Multi(topics=each, window=1), 1) for each in (1, 100, 1_000))
CROWDS: Final = tuple(Size(f"broadcast to {each:,}", Bystander(clients=each), each) for each in (1, 10_000))
SIZES: Final = (*CLIENTS, *FLOORS, *TOPICS, *CROWDS)


def _floors(found: Found) -> float:
    return found.figures.cpu_us / found.floor_us


def _names(sizes: Sequence[Size]) -> tuple[str, ...]:
    return tuple(size.name for size in sizes)


QUESTIONS: Final = (
    Question("an echo, all clients at once", "floors", _floors, 1.5, _names(CLIENTS), relative=True),
    Question("the floor's, for comparison", "floors", _floors, None, _names(FLOORS), relative=True),
    Question("an echo, topics of one socket", "floors", _floors, 1.5, _names(TOPICS), relative=True),
    Question("an echo beside a broadcast", "ms", lambda found: found.figures.p50_ms or 0, 50, _names(CROWDS)),
    Question("the same, at worst", "ms", lambda found: found.figures.max_ms or 0, 50, _names(CROWDS)),
    Question("longest garbage collection", "ms", lambda found: found.pause_ms, 30, _names((*CLIENTS, *CROWDS))),
)


def run(size: Size, cores: Cores) -> Found:
    """Do one run; raises `Fault`."""
    with tempfile.NamedTemporaryFile() as pauses:
        python, option, module = size.server.command
        command = (python, option, "benchmarks.servers.with_pauses", pauses.name, module)
        program = attrs.evolve(size.server, command=command)
        before = measure(FLOOR, YARDSTICK, cores)
        with serving(program, cores) as server:
            began_ns = time.perf_counter_ns()  # the same clock in all processes
            figures = drive(server, size.load, cores)
            pause_ms = longest(Path(pauses.name).read_text(), began_ns)
        after = measure(FLOOR, YARDSTICK, cores)
    return Found(figures, (before.cpu_us + after.cpu_us) / 2, pause_ms)


def longest(pauses: str, began_ns: int) -> float:
    """Read what `with_pauses` wrote; what was before, at the start of the server, keeps nobody waiting."""
    found = (line.split() for line in pauses.splitlines())
    return max((float(ms) for at_ns, ms in found if int(at_ns) >= began_ns), default=0.0)


def possible(sizes: Sequence[Size], files: int) -> list[Size]:
    """Leave out what needs more open files than a process may have, and say so."""
    for size in sizes:
        if size.clients + SPARE > files:
            tell(
                f"{size.name} left out: a process may have {files} open files (ulimit -Hn), not {size.clients + SPARE}"
            )
    return [size for size in sizes if size.clients + SPARE <= files]


def write(found: dict[str, list[Found]]) -> str:
    """Write the table: one row for each question and size."""
    rows: list[Sequence[str]] = [("", "", "", "to the first", "target", "")]
    for question in QUESTIONS:
        rows.append((question.name, "", "", "", "", ""))
        first: Spread | None = None
        for name in question.sizes:
            if not found.get(name):
                continue
            figure = spread(map(question.figure, found[name]))
            first = first or figure
            rows.append((f"  {name}", f"{figure}", question.unit, *_compared(question, figure, first)))
    return table(rows)


def _compared(question: Question, figure: Spread, first: Spread) -> tuple[str, str, str]:
    if not question.relative:
        return (
            ("", f"{question.limit:g} {question.unit}", verdict(figure, question.limit))
            if question.limit
            else ("", "", "")
        )
    ratio = spread([figure.median / first.median])
    if question.limit is None:
        return (str(ratio), "", "")
    return (str(ratio), f"{question.limit:g}", verdict(ratio, question.limit))


def grow(repeat: int, output: Path | None) -> int:
    """Do everything so many times, print the table, write JSON; the status is 1 when there was a wrong answer."""
    where = cores()
    sizes = possible(SIZES, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    found: dict[str, list[Found]] = {size.name: [] for size in sizes}
    faults = []
    for progressed, size in progress(sizes * repeat):
        try:
            one = run(size, where)
        except Fault as fault:
            faults.append(f"No figure for {size.name}: {fault}")
            tell(f"{progressed} {faults[-1]}")
        else:
            found[size.name].append(one)
            tell(f"{progressed} {size.name}: {one.figures.cpu_us:.1f} µs, collected for {one.pause_ms:.1f} ms at most")
    print("\n".join([write(found), *faults]))
    if output is not None:
        runs = {name: [attrs.asdict(one) for one in each] for name, each in found.items()}
        output.write_bytes(orjson.dumps({"machine": machine(), "found": runs}, option=orjson.OPT_INDENT_2))
    return int(bool(faults))
