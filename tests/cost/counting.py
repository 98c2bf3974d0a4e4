"""Executed bytecode instructions, of all code but that of this folder."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import TraceFunction

DRIVER: Final = str(Path(__file__).parent)
"""The code that asks for the work, which is not part of it."""
TOOL: Final = 4
"""A number of `sys.monitoring` that it keeps for nobody."""


class Counter:
    """A number that grows."""

    def __init__(self) -> None:
        self.instructions = 0


@contextmanager
def counting() -> Iterator[Counter]:
    """Count what is executed in the block; code that runs already is counted from when it goes on the next time."""
    counter = Counter()
    collecting = gc.isenabled()
    gc.disable()  # callbacks and finalizers of others' garbage would be counted
    try:
        with _watched(counter):
            yield counter
    finally:
        if collecting:
            gc.enable()


if sys.version_info >= (3, 12):

    @contextmanager
    def _watched(counter: Counter) -> Iterator[None]:
        monitoring = sys.monitoring

        def count(code: CodeType, _: int) -> object:
            if code.co_filename.startswith(DRIVER):
                return monitoring.DISABLE
            counter.instructions += 1
            return None

        monitoring.use_tool_id(TOOL, __name__)
        try:
            monitoring.register_callback(TOOL, monitoring.events.INSTRUCTION, count)
            monitoring.set_events(TOOL, monitoring.events.INSTRUCTION)
            yield
        finally:
            monitoring.set_events(TOOL, 0)
            monitoring.free_tool_id(TOOL)

else:

    @contextmanager
    def _watched(counter: Counter) -> Iterator[None]:
        def enter(frame: FrameType, event: str, _: object) -> TraceFunction | None:
            if frame.f_code.co_filename.startswith(DRIVER):
                return None
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
            return count

        def count(frame: FrameType, event: str, _: object) -> TraceFunction:
            if event == "opcode":
                counter.instructions += 1
            return count

        before = sys.gettrace()
        sys.settrace(enter)
        try:
            yield
        finally:
            sys.settrace(before)
