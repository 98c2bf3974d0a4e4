"""The page of events, docs/events.md, from their declarations: `python -m tests.events` writes its table."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import re
from pathlib import Path
from typing import Final

import phxactor
from phxactor.telemetry import EVENTS

PAGE: Final = Path(__file__).parents[1] / "docs" / "events.md"
_TABLE = re.compile(r"(?<=<!-- events -->\n).*?(?=<!-- end of events -->)", re.DOTALL)


def table() -> str:
    """Make the table of all events that phxactor declares, by name."""
    for module in pkgutil.walk_packages(phxactor.__path__, "phxactor."):
        if module.name.rpartition(".")[2].endswith("events"):
            importlib.import_module(module.name)
    lines = ["", "| event | when, and its fields | logged at |", "|---|---|---|"]
    for name, event in sorted(EVENTS.items()):
        if name.startswith("phxactor."):
            level = "" if event.level is None else logging.getLevelName(event.level)
            lines.append(f"| `{name}` | {event.doc.replace('|', chr(92) + '|')} | {level} |")
    return "\n".join([*lines, "", ""])


def written(page: str) -> str:
    """Return the page with its table made anew; raises ValueError if the page has no place for it."""
    if not _TABLE.search(page):
        raise ValueError(f"{PAGE.name} has no place for the table of events")
    return _TABLE.sub(lambda _: table(), page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
