"""Exceptions out of nurseries that the user has not opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unwrapped() -> Iterator[None]:
    """Raise what comes out of the block as it was before nurseries put it in groups, if it is one exception only."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if error is group:
            raise
    else:
        return
    # Raised out here, and with the context it had: else it would drag the group along, and with it itself.
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context
        del error, context
