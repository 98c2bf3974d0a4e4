"""What pytest shows of a failed play: no frames or lines of libraries, and the path of a file with the whole chart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from phxactor.testing._chart import LEGEND
from phxactor.testing._frames import hidden
from phxactor.testing._trace import WHOLE, Trace

_OTHER: Final = re.compile(r"[^\w.-]+")
"""What the name of a test may have, and that of a file may not."""
_EXPLANATION: Final = re.compile(r"\nExplanation:\n(?: +.*\n?)*")
"""Lists the lines of code that were run by failures only: those of libraries."""
_DRAWN: Final = re.compile(r"\n +\w+=Schedule\(\.\.\.\),.*")
"""A drawn schedule, which Hypothesis prints before it is played; the note of the play has it."""
_NOTHING_DRAWN: Final = re.compile(r"\n\w+ \w+ \w+: \w+\(\n\)")
"""The arguments of a test, when no other one is left."""
NAME: Final = 120
"""Maximum characters of a file's name."""


def trace_of(error: BaseException | None) -> Trace | None:
    """Return the trace of the failed play, if a play has raised the error, or a part of it."""
    if isinstance(error, BaseExceptionGroup):
        return next((trace for part in error.exceptions if (trace := trace_of(part)) is not None), None)
    trace = getattr(error, "phxactor_trace", None)
    return trace if isinstance(trace, Trace) else None


def alone(error: BaseException) -> BaseException:
    """Return the only part of a group, which a nursery or a plugin has made of one error; any other error itself."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def tidy(error: BaseException) -> None:
    """Hide what is no part of the program: frames of libraries, and what Hypothesis says of lines and of the order."""
    hidden(error)
    for part in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        tidy(part)
    notes = "\n".join(getattr(error, "__notes__", ()))
    if notes:
        notes = _EXPLANATION.sub("", notes)
        notes = _DRAWN.sub("", notes)
        error.__notes__ = _NOTHING_DRAWN.sub("", notes).split("\n")


def write(error: BaseException, trace: Trace, folder: Path, test: str) -> Path:
    """Write the whole chart of a failure into a folder, as text and for mermaid; return the path of the file."""
    path = folder / f"{_OTHER.sub('-', test)[-NAME:].strip('-')}.md"
    folder.mkdir(parents=True, exist_ok=True)
    order = "\n".join(getattr(error, "__notes__", ())).partition(", of ")[0]
    head = [f"# {test}", f"`{order}`: {type(error).__name__}", "```mermaid", trace.mermaid(), "```"]
    rest = ["```text", LEGEND, "", trace.chart(WHOLE), "```", ""]
    path.write_text("\n".join([*head, "", *rest]), "utf-8")
    return path
