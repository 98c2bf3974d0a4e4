"""The creation site of an object: the process, and the line of the program."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType, ModuleType
from typing import Final
from weakref import ref

import trio

import phxactor
from phxactor.runtime import current, private


def _folder(module: ModuleType) -> str:
    return str(Path(module.__file__ or "").parent) + os.sep


_PACKAGE: Final = _folder(phxactor)
_HOME: Final = _PACKAGE.removesuffix("phxactor" + os.sep)
_BELOW: Final = tuple(_PACKAGE + room for room in ("runtime", "telemetry", "testing"))
_DEMOS: Final = _PACKAGE + "demos" + os.sep
_TRIO: Final = _folder(trio)
_LIBRARY: Final = _folder(os)
_INSTALLED: Final = os.sep + "site-packages" + os.sep
_LOOPS: Final = (str(private("_wakeup_socketpair").__file__), _LIBRARY + "asyncio" + os.sep)
_SCHEDULER: Final = str(private("_run").__file__)
"""trio's scheduler. The frames below it belong to the caller of trio, not to the task that creates something."""


class Origin:
    """The place where an object was created. It keeps no process alive."""

    __slots__ = ("_file", "_line", "_maker", "_pid")

    def __init__(self, file: str, line: int) -> None:
        """Record the place and the current process."""
        pid = current.get(None)
        self._file = file
        self._line = line
        self._maker = "" if pid is None else f" by {pid!r}"
        self._pid = None if pid is None else ref(pid)

    def __str__(self) -> str:
        """Return file, line and process; files of phxactor and below the working directory by their relative path."""
        file = self._file.removeprefix(_HOME).removeprefix(str(Path.cwd()) + os.sep)
        return f"{file}:{self._line}{self._maker}{', which has ended' if self._has_ended() else ''}"

    def _has_ended(self) -> bool:
        if self._pid is None:
            return False
        pid = self._pid()
        return pid is None or not (pid.alive or pid is pid.runtime.main)


def origin() -> Origin:
    """Return the site of the current call: the innermost line of the program, or of phxactor if there is none."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - inspect.stack reads the files of all frames
    inside: tuple[str, int] = ("?", 0)
    while frame is not None and frame.f_code.co_filename != _SCHEDULER:
        file, line = frame.f_code.co_filename, frame.f_lineno
        if file.startswith(_PACKAGE) and not file.startswith(_DEMOS):
            if inside == ("?", 0) and not file.startswith(_BELOW):
                inside = file, line
        elif not file.startswith(_TRIO) and (_INSTALLED in file or not file.startswith((_LIBRARY, "<"))):
            return Origin(file, line)
        frame = frame.f_back
    return Origin(*inside)


def in_event_loop() -> bool:
    """Return whether the current call comes from an event loop, for its own use."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - inspect.stack reads the files of all frames
    while frame is not None and frame.f_code.co_filename != _SCHEDULER:
        if frame.f_code.co_filename.startswith(_LOOPS):
            return True
        frame = frame.f_back
    return False
