"""The picture as text: `tree` for a page or a log, `table` for a terminal. Plain functions of a snapshot.

    main <2>
    └╌ root <3>
       └─ endpoint <4> · rest_for_one
          ├─ pubsub <5>
          ├─ listener <6> · 30 messages wait · 1 restart
          └─ …950 more

A dashed branch leads to a process that no supervisor knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from phxactor.observer.snapshot import Process, Row, Snapshot

_USUAL: Final = ("waiting", "port", "busy")
_HEADINGS: Final = ("PID", "STATE", "MAILBOX", "RESTARTS")
_MANY: Final = 10
"""Messages in a mailbox from which on `tree` tells of them: fewer come and go all the time."""
_NAME: Final = 24
"""Characters of a registered name that stands behind an id."""
_NARROWEST: Final = 20
"""Columns that the tree gets in a table, however narrow the terminal is."""


def tree(picture: Snapshot) -> str:
    """Draw the tree, with a line for each process that says what is not as usual; without a newline at its end."""
    lines = [branch + _describe(row) for branch, row in _branches(picture.rows)]
    lines += [f"zombie {_called(zombie)} <{zombie.number}>" for zombie in picture.zombies]
    return "\n".join(lines)


def table(picture: Snapshot, width: int = 100, height: int | None = None) -> str:
    """Draw the tree beside columns of pids, states, mailbox lengths and restarts.

    No line is longer than `width`, but for a terminal too narrow for any table; with a `height`, the last of so many
    lines says how many more there are.
    """
    rows = [(branch + _title(row), *_cells(row)) for branch, row in _branches(picture.rows)]
    rows += [(f"zombie {_called(zombie)}", str(zombie.number), "zombie", "", "") for zombie in picture.zombies]
    widths = [max(map(len, column)) for column in zip(*((_HEADINGS, *(row[1:] for row in rows))), strict=True)]
    room = max(_NARROWEST, width - sum(widths) - 2 * len(widths))
    room = min(room, max((len(row[0]) for row in rows), default=_NARROWEST))
    lines = [_line(row, room, widths) for row in (("PROCESS", *_HEADINGS), *rows)]
    if height is not None and len(lines) > height:
        lines[height - 1 :] = [f"… {len(lines) - height + 1} more lines"]
    return "\n".join(lines)


def _line(row: Sequence[str], room: int, widths: Iterable[int]) -> str:
    name, number, state, *counts = row
    name = name if len(name) <= room else name[: room - 1] + "…"
    number_width, state_width, *count_widths = widths
    cells = [name.ljust(room), number.rjust(number_width), state.ljust(state_width)]
    cells += [count.rjust(one) for count, one in zip(counts, count_widths, strict=True)]
    return "  ".join(cells).rstrip()


def _branches(rows: Sequence[Row]) -> list[tuple[str, Row]]:
    """Put before each row the lines that lead to it.

    Read from the last row to the first: at a depth that is in `later`, more of the same parent's children follow.
    """
    drawn: list[tuple[str, Row]] = []
    later: set[int] = set()
    for row in reversed(rows):
        branch = ""
        if row.depth:
            fork = "├" if row.depth in later else "└"
            dash = "─ " if row.relation == "supervised" else "╌ "
            branch = "".join("│  " if depth in later else "   " for depth in range(1, row.depth)) + fork + dash
        drawn.append((branch, row))
        later = {depth for depth in later if depth < row.depth} | {row.depth}
    drawn.reverse()
    return drawn


def _called(process: Process) -> str:
    return process.name or process.initial_call.removesuffix(".init")


def _title(row: Row) -> str:
    return " · ".join((_name(row), *_notes(row)))


def _describe(row: Row) -> str:
    name, notes = _name(row), _notes(row)
    if row.process is not None:
        name = f"{name} <{row.process.number}>"
        if row.process.mailbox >= _MANY:
            notes.append(f"{row.process.mailbox} messages wait")
    if row.status not in _USUAL and not row.hidden:
        notes.append(row.status)
    if row.restarts:
        notes.append(f"{row.restarts} restart{'s' if row.restarts > 1 else ''}")
    return " · ".join((name, *notes))


def _name(row: Row) -> str:
    """Name a row: a child by its id, and by its registered name if that is another; others by what they run."""
    process = row.process
    if row.hidden:
        return f"… {row.hidden} more"
    if process is None:
        return row.id or "child"
    if row.id is None:
        return _called(process)
    name = process.name
    if name is None or name == row.id:
        return row.id
    return f"{row.id} ({name if len(name) <= _NAME else '…' + name[1 - _NAME :]})"


def _notes(row: Row) -> list[str]:
    """Write its label, and of a supervisor what is not as usual."""
    notes, supervision = [], row.supervision
    if row.process is not None and row.process.label is not None:
        notes.append(row.process.label)
    if supervision is not None and supervision.strategy != "one_for_one":
        notes.append(supervision.strategy)
    if supervision is not None and supervision.restarts:
        used, allowed, seconds = supervision.restarts, supervision.max_restarts, supervision.max_seconds
        notes.append(f"{used} of {allowed} restarts in {seconds} s")
    return notes


def _cells(row: Row) -> tuple[str, str, str, str]:
    if row.hidden:
        return "", "", "", ""
    restarts = str(row.restarts) if row.relation == "supervised" else ""
    if row.process is None:
        return "", row.status, "", restarts
    return str(row.process.number), row.status, str(row.process.mailbox), restarts
