"""Who made something: the process, and the line of the program."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType, ModuleType
from typing import Final

import attrs
import trio

import phxactor
from phxactor.runtime import Pid
from phxactor.runtime.pid import current


def _folder(module: ModuleType) -> str:
    return str(Path(module.__file__ or "").parent) + os.sep


_PACKAGE: Final = _folder(phxactor)
_BELOW: Final = tuple(_PACKAGE + room + os.sep for room in ("runtime", "testing"))
_DEMOS: Final = _PACKAGE + "demos" + os.sep
_TRIO: Final = _folder(trio)
_LIBRARY: Final = _folder(os)
_INSTALLED: Final = os.sep + "site-packages" + os.sep
_LOOPS: Final = (_TRIO + "_core" + os.sep + "_wakeup_socketpair", _LIBRARY + "asyncio" + os.sep)
_SCHEDULER: Final = str(Path(_TRIO, "_core", "_run.py"))
"""Below its frames are those of whoever runs trio, which has nothing to do with what a task makes."""


@attrs.frozen
class Origin:
    """Where something was made."""

    process: Pid | None
    """The process that made it; None outside of all."""
    file: str
    line: int

    def __str__(self) -> str:
        """Write it for a message, with a file that lies below the working directory by its relative path."""
        file = self.file.removeprefix(str(Path.cwd()) + os.sep)
        by = "" if self.process is None else f" by {self.process!r}"
        return f"{file}:{self.line}{by}"


def origin() -> Origin:
    """Find who is making something now: the innermost line that is the program's, or ours where it has none."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - inspect.stack reads the files of all frames
    ours: tuple[str, int] = ("?", 0)
    while frame is not None and frame.f_code.co_filename != _SCHEDULER:
        file, line = frame.f_code.co_filename, frame.f_lineno
        if file.startswith(_PACKAGE) and not file.startswith(_DEMOS):
            if ours == ("?", 0) and not file.startswith(_BELOW):
                ours = file, line
        elif not file.startswith(_TRIO) and (_INSTALLED in file or not file.startswith((_LIBRARY, "<"))):
            return Origin(current.get(None), file, line)
        frame = frame.f_back
    return Origin(current.get(None), *ours)


def in_event_loop() -> bool:
    """Tell whether it is an event loop that is making something now, for itself."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - as above
    while frame is not None and frame.f_code.co_filename != _SCHEDULER:
        if frame.f_code.co_filename.startswith(_LOOPS):
            return True
        frame = frame.f_back
    return False
