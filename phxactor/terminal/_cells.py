"""Rows of the tree as coloured text: pure functions over what the observer sends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias, final

import attrs
from rich.cells import cell_len, set_cell_size

Part: TypeAlias = tuple[str, str]
"""A text, and the name of its style in `STYLES`."""

STYLES: Final = {
    "": "",
    "bold": "bold",
    "dim": "dim",
    "ended": "dim",
    "new": "green",
    "restarted": "yellow",
    "used": "yellow",
    "heavy": "bold yellow",
    "crashed": "bold red",
    "down": "red",
    "spent": "bold red",
}
"""What rich makes of the styles. Colour never says anything alone: a word stands beside it."""

COLUMNS: Final = (("STATE", 10), ("MAILBOX", 9), ("MSGS/S", 9), ("CPU", 7), ("RESTARTS", 11), ("PID", 7))
"""The columns behind the process, and their widths; the first ones go where the terminal is narrow."""
LEAST: Final = 30
"""The fewest cells of the first column."""
HEAVY: Final = 100
"""Messages in a mailbox from which they are marked."""
STEP: Final = 2
DEEPEST: Final = 16
"""Levels of the tree that are indented."""
NONE: Final = "-"


@final
@attrs.frozen
class Row:
    """A row as the observer sends it: an array in this order."""

    key: str
    depth: int
    relation: str
    number: int | None
    name: str | None
    label: str | None
    call: str
    status: str
    mailbox: int
    rate: float
    cpu: float | None
    restarts: int
    children: int
    opened: int
    position: int
    setsize: int
    supervision: Sequence[Any] | None
    mark: str | None

    def title(self) -> str:
        """Return what the process is called: its name, its label, what it runs, or the id of a child that is down."""
        if self.number is None:
            return self.name or self.key.partition(".")[2]
        return self.name or self.label or self.call

    def more(self) -> str:
        """Return what else is known of it, in one line."""
        title = self.title()
        known = [self.label if self.name else None, self.call if self.call != title else None]
        return " · ".join(filter(None, known))


def shown_columns(width: int) -> list[tuple[str, int]]:
    """Return the columns that fit beside the first one."""
    columns = list(COLUMNS)
    while columns and sum(size for _, size in columns) + LEAST > width:
        columns.pop(0)
    return columns


def head(width: int, sort: str | None) -> list[Part]:
    """Return the heads of the columns; the one that the rows are sorted by is marked."""
    columns = shown_columns(width)
    first = width - sum(size for _, size in columns)
    sorted_by = {"mailbox": "MAILBOX", "rate": "MSGS/S", "cpu": "CPU", "restarts": "RESTARTS"}.get(sort or "")
    parts = [(set_cell_size("PROCESS ▾" if sort == "name" else "PROCESS", first), "bold")]
    for name, size in columns:
        text = f"{name} ▾" if name == sorted_by else name
        parts.append((f"{text:<{size}}" if name == "STATE" else f"{text:>{size}}", "bold"))
    return parts


def line(row: Row, width: int, *, flat: bool) -> list[Part]:
    """Return a row, exactly `width` cells wide; `flat` is for a list that is sorted, and no tree."""
    columns = shown_columns(width)
    return [*_main(row, width - sum(size for _, size in columns), flat=flat), *(_cell(row, *one) for one in columns)]


def _main(row: Row, width: int, *, flat: bool) -> list[Part]:
    """Return the first column: how deep it is, whether it is open, its name, and what else is known."""
    indent = 0 if flat else STEP * min(row.depth, DEEPEST)
    sign = "▾ " if row.opened else "▸ " if row.children else "  "
    style = row.mark if row.mark in STYLES else "bold" if row.supervision else ""
    parts = [(" " * indent + ("" if flat else sign), "dim"), (row.title(), style or "")]
    if row.supervision:
        parts.append(_budget(row.supervision))
    if row.children and not row.opened and not flat:
        parts.append((f"  {row.children:,} below", "dim"))
    parts.append((f"  {row.more()}" if row.more() else "", "dim"))
    return _fitted(parts, width)


def _budget(supervision: Sequence[Any]) -> Part:
    """Return a supervisor's strategy, and how many of the restarts that it allows were made."""
    strategy, used, most, seconds, *ever = supervision
    all_ = f", {ever[0]:,} in all" if ever and ever[0] else ""
    style = "spent" if used >= most > 0 else "used" if used else "dim"
    return f"  {strategy} {used}/{most} in {seconds:g} s{all_}", style


def _fitted(parts: Sequence[Part], width: int) -> list[Part]:
    """Cut parts off, or add spaces, so that they are `width` cells wide; the last cell is a space."""
    fitted, left = [], width - 1
    for text, style in parts:
        if cell_len(text) > left:
            fitted.append((set_cell_size(text, left - 1) + "…" if left > 0 else "", style))
            left = 0
            break
        fitted.append((text, style))
        left -= cell_len(text)
    return [*fitted, (" " * (left + 1), "")]


def _cell(row: Row, name: str, size: int) -> Part:
    match name:
        case "STATE":
            mark = row.mark or ""
            return f"{mark or row.status:<{size}}", mark if mark in STYLES else "dim" if row.status == "waiting" else ""
        case "MAILBOX":
            text, style = f"{row.mailbox:,}", "heavy" if row.mailbox >= HEAVY else "" if row.mailbox else "dim"
        case "MSGS/S":
            text, style = rate(row.rate), "" if row.rate else "dim"
        case "CPU":
            text, style = percent(row.cpu), "" if row.cpu else "dim"
        case "RESTARTS":
            text, style = f"{row.restarts:,}", "used" if row.restarts else "dim"
        case _:
            return f"{NONE if row.number is None else row.number:>{size}}", "dim"
    return f"{NONE if row.number is None and name != 'RESTARTS' else text:>{size}}", style


def rate(value: float) -> str:
    """Return a rate with three figures at most, so that a column of them can be compared at a glance."""
    return "0" if not value else "<0.1" if value < 0.05 else f"{value:.1f}" if value < 10 else f"{value:,.0f}"  # noqa: PLR2004


def percent(share: float | None) -> str:
    """Return a part of one core in percent; a dash if nobody can tell."""
    return NONE if share is None else f"{rate(share * 100)} %"
