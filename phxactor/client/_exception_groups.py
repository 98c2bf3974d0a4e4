"""Exceptions without the exception groups of nurseries that the client opens internally."""

from __future__ import annotations

from types import TracebackType
from typing import NoReturn


class unwrapped:  # noqa: N801 - it reads as a function
    """A context manager: if the block raises a group that holds one exception only, that exception is raised instead.

    It is a class, not a generator: the frames of `contextlib` would refer to the group, and the traceback to them.
    """

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(
        self, kind: type[BaseException] | None, group: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise the single exception."""
        error = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if error is None or error is group:
            return
        try:
            raise_again(error)
        finally:
            del group, error, trace


def raise_again(error: BaseException) -> NoReturn:
    """Raise an exception, but keep its `__context__`: the exception that is being handled may refer to it, a cycle."""
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context
        del error, context
