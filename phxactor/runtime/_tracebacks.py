"""Replaces the frames of an exception that has ended a process: its traceback keeps the lines, but no variables.

A traceback keeps the frames that the exception passed through. They keep all local variables (the message that was
handled, the state of the server, its pid) and their calling frames, which may refer to the exception by now. The pid
keeps the exception as its exit reason. So all of this is a reference cycle that only the garbage collector would free.

So an exception that becomes an exit reason, or goes to another process, gets a traceback of the same lines without
those frames, once the handlers of events have seen it. A later log shows the same traceback, except for the marks
within a line.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from contextlib import suppress
from types import CodeType, FrameType, FunctionType, GeneratorType, TracebackType
from typing import Any, Final

from phxactor.runtime._errors import Exit
from phxactor.runtime._reasons import Crash, Reason, Shutdown


def without_our_frame(error: BaseException) -> BaseException:
    """Remove the frame that caught an exception from its traceback: reports do not need it."""
    trace = error.__traceback__
    return error if trace is None else error.with_traceback(trace.tb_next)


def forget_frames(reason: Reason) -> None:
    """Drop the frames of all exceptions in a reason, including causes, contexts and members of groups.

    Never raises.
    """
    ahead: list[Any] = [reason]
    seen: set[int] = set()
    while ahead:
        part = ahead.pop()
        kind = type(part)  # not `isinstance`, which may run code of the part
        if issubclass(kind, BaseException):
            if id(part) not in seen:
                seen.add(id(part))
                with suppress(BaseException):  # a class may redefine these attributes, and raise
                    part.__traceback__ = _lines_of(part.__traceback__)
                    ahead += (part.__cause__, part.__context__)
                    ahead += _parts(part)
        elif kind is Crash:
            ahead.append(part.exception)
        elif kind is Shutdown:
            ahead.append(part.detail)
        elif kind is tuple:
            ahead += part


def _parts(error: Any) -> tuple[object, ...]:  # noqa: ANN401 - each kind has attributes of its own
    """Return the values within an exception that may hold further exceptions."""
    kind = type(error)
    if issubclass(kind, BaseExceptionGroup):
        return tuple(error.exceptions)
    if issubclass(kind, Exit):
        return (error.reason,)
    if issubclass(kind, AttributeError):
        error.obj = type(error.obj)  # enough for Python's "Did you mean" suggestion
    return ()


def _lines_of(trace: TracebackType | None) -> TracebackType | None:
    """Make a traceback that prints the same, without the frames."""
    links: list[TracebackType] = []
    while trace is not None:
        links.append(trace)
        trace = trace.tb_next
    copy: TracebackType | None = None
    for link in reversed(links):
        copy = TracebackType(copy, _stand_in(link.tb_frame, link.tb_lineno), 0, link.tb_lineno)
    return copy


def _stand_in(frame: FrameType, line: int) -> FrameType:
    """Make a frame that never runs, with the file, name and line of another frame."""
    code = frame.f_code
    shown = _PLACE.replace(
        co_filename=code.co_filename, co_name=code.co_name, co_qualname=code.co_qualname, co_firstlineno=line
    )
    make: Callable[[], GeneratorType[None, None, None]] = FunctionType(shown, frame.f_globals)
    stand_in = make().gi_frame
    assert stand_in is not None  # noqa: S101 - it has not run
    return stand_in


def _make_place() -> CodeType:
    """Compile a generator without column positions, so that a traceback marks nothing within its lines."""
    module = ast.parse("def place(): yield")
    for node in ast.walk(module):
        if isinstance(node, ast.stmt | ast.expr):
            node.col_offset = node.end_col_offset = -1
    compiled = compile(module, "", "exec")
    return next(constant for constant in compiled.co_consts if isinstance(constant, CodeType))


_PLACE: Final = _make_place()
