"""A snapshot as text: `tree` for a page or a log, `table` for a terminal. Pure functions.

    main <2>
    └╌ root <3>
       └─ endpoint <4> · rest_for_one
          ├─ pubsub <5>
          ├─ listener <6> · 30 messages wait · 1 restart
          └─ …950 more

A dashed branch leads to a process that is no supervisor's child.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from phxactor.observer._picture import Present, Process, Row, Shared, Snapshot

_USUAL: Final = ("waiting", "port", "busy")
_HEADINGS: Final = ("PID", "STATE", "MAILBOX", "RESTARTS")
_MANY: Final = 10
"""Messages in a mailbox from which `tree` shows the number; smaller numbers change all the time."""
_NAME: Final = 24
"""Maximum characters of a registered name shown behind a child's id."""
_NARROWEST: Final = 20
"""Minimum columns of the tree in a table, even if the terminal is narrower."""


def tree(picture: Snapshot) -> str:
    """Draw the tree, one line for each row, with notes on what is unusual. The text does not end with a newline."""
    lines = [branch + _describe(row) for branch, row in _branches(picture.rows)]
    lines += [f"zombie {_called(zombie)} <{zombie.number}>" for zombie in picture.zombies]
    lines += [_present(one) for one in picture.presences]
    lines += [_shared(one) for one in picture.sharded]
    return "\n".join(lines)


def table(picture: Snapshot, width: int = 100, height: int | None = None) -> str:
    """Draw the tree beside columns of pids, states, mailbox lengths and restarts.

    No line is longer than `width` characters, unless `width` is too small for any table. If there are more lines than
    `height`, the last of `height` lines says how many are left out.
    """
    rows = [(branch + _title(row), *_cells(row)) for branch, row in _branches(picture.rows)]
    rows += [(f"zombie {_called(zombie)}", str(zombie.number), "zombie", "", "") for zombie in picture.zombies]
    rows += [(_present(one), "", "", "", "") for one in picture.presences]
    rows += [(_shared(one), "", "", "", "") for one in picture.sharded]
    widths = [max(map(len, column)) for column in zip(*((_HEADINGS, *(row[1:] for row in rows))), strict=True)]
    room = max(_NARROWEST, width - sum(widths) - 2 * len(widths))
    room = min(room, max((len(row[0]) for row in rows), default=_NARROWEST))
    lines = [_line(row, room, widths) for row in (("PROCESS", *_HEADINGS), *rows)]
    if height is not None and len(lines) > height:
        lines[height - 1 :] = [f"… {len(lines) - height + 1} more lines"]
    return "\n".join(lines)


def _present(one: Present) -> str:
    """Say how many a Presence or Tracker tracks, and which trackers of other nodes it knows."""
    notes = [
        f"presence {one.name}",
        f"{one.tracked} tracked here",
        f"{one.online} on all nodes",
        f"{one.topics} topic{'' if one.topics == 1 else 's'}",
    ]
    notes += [f"{node} {state}" for node, state in one.replicas.items()]
    return " · ".join(notes)


def _shared(one: Shared) -> str:
    """Say who owns the keys of sharded servers, and what this node does about them."""
    keys = f"{one.keys} key{'' if one.keys == 1 else 's'} here"
    view = "" if one.view is None else f" · view {one.view}"
    return f"sharded {one.name} · {one.state} · {keys} · owned by {', '.join(one.owners) or 'no node'}{view}"


def _line(row: Sequence[str], room: int, widths: Iterable[int]) -> str:
    name, number, state, *counts = row
    name = name if len(name) <= room else name[: room - 1] + "…"
    number_width, state_width, *count_widths = widths
    cells = [name.ljust(room), number.rjust(number_width), state.ljust(state_width)]
    cells += [count.rjust(one) for count, one in zip(counts, count_widths, strict=True)]
    return "  ".join(cells).rstrip()


def _branches(rows: Sequence[Row]) -> list[tuple[str, Row]]:
    """Return each row with the branch drawn before it.

    The rows are read from the last to the first. A depth is in `later` if the same parent has more children there.
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
    """Name a row: a supervised child by its id and, if different, its registered name; others by name or function."""
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
    """Return the process's label, and what is unusual about a supervisor: its strategy, its recent restarts."""
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
