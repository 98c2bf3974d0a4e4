"""Exceptions out of nurseries that the user has not opened."""

from __future__ import annotations

from types import TracebackType


class unwrapped:  # noqa: N801 - it reads as a function
    """Raise what comes out of the block as it was before nurseries put it in groups, if it is one exception only.

    It is no generator: the frames of `contextlib` would keep the group, and what is raised keeps these frames.
    """

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(
        self, kind: type[BaseException] | None, group: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise the one, with the context it had: else it would drag the group along, and with it itself."""
        error = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if error is None or error is group:
            return
        context = error.__context__
        try:
            raise error
        finally:
            error.__context__ = context
            del group, error, context, trace
