"""A message sequence chart of a trace: the processes as columns, in the order of their births.

2   3   4
●──▶│       #PID<2 main> spawns #PID<3 run>     as text: the line of the trace stands beside its arrow
participant p0 as 2 main                        as mermaid
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from phxactor.runtime import Pid
from phxactor.testing._trace_rows import Row, clock, text_of

STEP: Final = 4
"""Characters from one column to the next."""
MARKS: Final = {"exits": "✗", "takes": "■", "times out": "■"}
"""What an action is in the column of its process; all others are `●`."""
_SPECIAL: Final = re.compile(r"[#;\n]")
LEGEND: Final = "● acts  ─▶ sends, spawns, links  ■ takes a message, or times out  ✗ exits"


def columns(rows: Sequence[Row]) -> list[Pid]:
    """List the processes of a trace, those of each runtime in the order of their births."""
    found: dict[Pid, None] = {}
    for row in rows:
        for pid in (row.by, row.whom, *row.told):
            if pid is not None:
                found[pid] = None
    runtimes = list(dict.fromkeys(pid.runtime for pid in found))
    return sorted(found, key=lambda pid: (runtimes.index(pid.runtime), pid.number))


def text(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the chart, the names of the columns first."""
    pids = columns(rows)
    place = {pid: index for index, pid in enumerate(pids)}
    born = {row.whom for row in rows if row.verb == "spawns"}
    alive = [pid not in born for pid in pids]
    yield " " * 10 + "".join(f"{pid.number:<{STEP}}" for pid in pids).rstrip()
    time = 0.0
    for row in rows:
        yield f"{clock(row.time, time):>9} {_drawn(row, place, alive)} {text_of(row)}"
        time = row.time


def _drawn(row: Row, place: dict[Pid, int], alive: list[bool]) -> str:
    """Draw one row, and note who has been born and has ended."""
    cells = [*("│" + " " * (STEP - 1) if lives else " " * STEP for lives in alive)]
    drawn = list("".join(cells))
    by = None if row.by is None else place[row.by]
    to = [place[pid] for pid in (row.whom, *row.told) if pid is not None]
    for whom in to:
        start = whom if by is None else by
        low, high = sorted((start * STEP, whom * STEP))
        for index in range(low + 1, high):
            drawn[index] = "┼" if drawn[index] == "│" else "─"
        if whom != by:
            drawn[whom * STEP] = "◀" if start > whom else "▶"
    if row.verb == "spawns" and row.whom is not None:
        alive[place[row.whom]] = True
    if by is not None:
        drawn[by * STEP] = MARKS.get(row.verb, "●")
        alive[by] = row.verb != "exits"
    return "".join(drawn)


def mermaid(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a sequence diagram."""
    pids = columns(rows)
    name = {pid: f"p{index}" for index, pid in enumerate(pids)}
    everybody = ",".join(dict.fromkeys((name[pids[0]], name[pids[-1]]))) if pids else ""
    yield "sequenceDiagram"
    for pid in pids:
        called = pid.name or pid.initial_call.rpartition(".<locals>.")[2]
        yield f"    participant {name[pid]} as {_escaped(f'{pid.number} {called}')}"
    for row in rows:
        said = _escaped(_short(row))
        if row.told:
            said = said.partition(" (")[0]
        if row.verb in ("sends", "spawns", "links", "signals", "monitors") and row.whom is not None:
            arrow = {"sends": "->>", "spawns": "-->>", "signals": "-)"}.get(row.verb, "-->")
            if row.verb == "sends" and said.endswith("(which has ended)"):
                arrow = "-x"
            yield f"    {name[row.whom if row.by is None else row.by]}{arrow}{name[row.whom]}: {said}"
        elif row.by is not None:
            yield f"    Note over {name[row.by]}: {said}"
            for pid in row.told:
                yield f"    {name[row.by]}-->>{name[pid]}: {said}"
        elif everybody:
            yield f"    Note over {everybody}: {said}"


def _short(row: Row) -> str:
    """Return the text of a row without the processes that the diagram shows."""
    words = text_of(row)
    if row.by is not None:
        words = words[words.find(f" {row.verb}") + 1 :]
    if row.verb == "sends":
        words = words.partition(": ")[2]
    elif row.verb in ("spawns", "links", "signals", "monitors"):
        words = words.partition(" #PID")[0]
    return words


def _escaped(words: str) -> str:
    """Replace what ends a line of mermaid, or means something in it."""
    return _SPECIAL.sub(lambda found: {"#": "#35;", ";": "#59;"}.get(found[0], " "), words)
