"""A program that fails before it serves: its own traceback, without the frames of this command and of `import`."""

from __future__ import annotations

import importlib
import traceback
from typing import Final

_IMPORT: Final = "<frozen importlib"


def program_error(error: Exception, what: str) -> SystemExit:
    """Return what ends this program: the traceback of the code that was called, and `what` as the last line."""
    return SystemExit(f"{''.join(_own(error).format())}{what}")


def _own(error: Exception) -> traceback.TracebackException:
    """Return the traceback of the program's code, below the frame that has called it."""
    began = error.__traceback__
    told = traceback.TracebackException(type(error), error, None if began is None else began.tb_next)
    waiting = [told]
    while waiting:
        one = waiting.pop()
        one.stack = traceback.StackSummary.from_list(
            [
                frame
                for frame in one.stack
                if frame.filename != importlib.__file__ and not frame.filename.startswith(_IMPORT)
            ]
        )
        waiting += [other for other in (one.__cause__, one.__context__, *(one.exceptions or ())) if other is not None]
    return told
