"""Which frames are the program's own, and which are those of libraries that a failure should not show."""

from __future__ import annotations

from types import FrameType, TracebackType
from typing import Final, TypeVar

E = TypeVar("E", bound=BaseException)

LIBRARIES: Final = frozenset(
    {
        "phxactor",
        "pytest_phxactor",
        "trio",
        "outcome",
        "contextlib",
        "asyncio",
        "threading",
        "hypothesis",
        "_hypothesis_pytestplugin",
        "_pytest",
        "pytest",
        "pluggy",
        "pytest_trio",
        "anyio",
    }
)
"""Top-level modules whose frames are hidden."""


def is_library(frame: FrameType) -> bool:
    """Return whether a frame runs code of a library."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] in LIBRARIES


def own_frames(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames of libraries; the whole one, if no other frame is left."""
    own: list[TracebackType] = []
    at = traceback
    while at is not None:
        if not is_library(at.tb_frame):
            own.append(at)
        at = at.tb_next
    shown: TracebackType | None = None
    for one in reversed(own):
        shown = TracebackType(shown, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return traceback if shown is None else shown


def hidden(error: E) -> E:
    """Hide the frames of libraries in an error's traceback, and in those of its parts; return the error."""
    error.__traceback__ = own_frames(error.__traceback__)
    for part in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        hidden(part)
    return error
