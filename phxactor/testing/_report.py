"""What pytest shows of a failed play: no frames or lines of libraries, and the path of a file with the whole chart."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from phxactor.testing._chart import LEGEND
from phxactor.testing._frames import hidden
from phxactor.testing._trace import WHOLE, Trace
from phxactor.testing.exploration import ADVICE, CAUSES, ChangedError, OutsideError
from phxactor.testing.threads import callers

_OTHER: Final = re.compile(r"[^\w.-]+")
"""What the name of a test may have, and that of a file may not."""
_EXPLANATION: Final = re.compile(r"\nExplanation:\n(?: +.*\n?)*")
"""Lists the lines of code that were run by failures only: those of libraries."""
_DRAWN: Final = re.compile(r"\n +\w+=Schedule\(\.\.\.\),.*")
"""A drawn schedule, which Hypothesis prints before it is played; the note of the play has it."""
_NOTHING_DRAWN: Final = re.compile(r"\n\w+ \w+ \w+: \w+\(\n\)")
"""The arguments of a test, when no other one is left."""
_AGAIN: Final = re.compile(r"\nYou can reproduce this .*@reproduce_failure\(.*")
"""How to have the drawn values again, which Hypothesis tells where CI is set; without others the order says it all."""
_drawn_in: Final[set[str]] = set()
"""The tests in which Hypothesis has chosen steps, as pytest names them while they run."""
NAME: Final = 120
"""Maximum characters of a file's name."""


def is_ours(error: BaseException) -> bool:
    """Return whether a play has failed, or could not be played again."""
    return isinstance(error, ChangedError) or trace_of(error) is not None


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


def drawn() -> None:
    """Note that Hypothesis chooses the steps of a play in the current test."""
    _drawn_in.add(os.environ.get("PYTEST_CURRENT_TEST", ""))


def changed(error: BaseException) -> BaseException:
    """Return what Hypothesis's words for a test that is not the same twice mean for a test of schedules."""
    if not type(error).__name__.startswith("Flaky") or os.environ.get("PYTEST_CURRENT_TEST", "") not in _drawn_in:
        return error
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    outside = next((part for part in parts if isinstance(part, OutsideError)), None)
    if outside is not None:
        return outside
    first = str(parts[0]).partition("\n")[0] if parts else ""
    once = f" ({type(parts[0]).__name__}: {first})" if parts else ""
    threads = callers()
    who = f" The thread {', '.join(threads)} has called the loop at times of its own.{ADVICE}" if threads else ""
    return ChangedError(
        f"the program is not the same when the same order is played again{once}. {CAUSES} "
        f"`explore(main, preemptions=1)` says where two plays part. (Hypothesis: {type(error).__name__}){who}"
    ).with_traceback(error.__traceback__)


def tidy(error: BaseException) -> None:
    """Hide what is no part of the program: frames of libraries, and what Hypothesis says of lines and of the order."""
    hidden(error)
    for part in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        tidy(part)
    notes = "\n".join(getattr(error, "__notes__", ()))
    if notes:
        notes = _EXPLANATION.sub("", notes)
        notes = _DRAWN.sub("", notes)
        if _NOTHING_DRAWN.search(notes):
            notes = _AGAIN.sub("", _NOTHING_DRAWN.sub("", notes))
        error.__notes__ = notes.split("\n")


def write(error: BaseException, trace: Trace, folder: Path, test: str) -> Path:
    """Write the whole chart of a failure into a folder, as text and for mermaid; return the path of the file."""
    path = folder / f"{_OTHER.sub('-', test)[-NAME:].strip('-')}.md"
    folder.mkdir(parents=True, exist_ok=True)
    order = "\n".join(getattr(error, "__notes__", ())).partition(", of ")[0]
    head = [f"# {test}", f"`{order}`: {type(error).__name__}", "```mermaid", trace.mermaid(), "```"]
    rest = ["```text", LEGEND, "", trace.chart(WHOLE), "```", ""]
    path.write_text("\n".join([*head, "", *rest]), "utf-8")
    return path
