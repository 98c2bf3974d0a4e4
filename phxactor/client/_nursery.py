"""A nursery that raises one exception, not a group, and leaves no reference cycle when its block fails.

When an exception leaves the block of a trio nursery, trio cancels the tasks in the same step. A task that waits gets
its `Cancelled` at once, so the traceback of that refers to the frames of the failing block. The block's exception and
the `Cancelled` are then in one group. So the frames refer to the group, and the group to the frames.
"""

from __future__ import annotations

from types import TracebackType
from typing import Final

import trio

from phxactor.client._exception_groups import unwrapped


class open_nursery:  # noqa: N801 - it reads as the function of trio
    """A context manager like `trio.open_nursery()`: if the block fails, its tasks are cancelled and end first."""

    def __init__(self) -> None:
        self._manager: Final = trio.open_nursery()
        self._nursery: trio.Nursery

    async def __aenter__(self) -> trio.Nursery:
        """Open the nursery."""
        self._nursery = await self._manager.__aenter__()
        return self._nursery

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Wait for the tasks; raise the block's exception, or the single exception of a task."""
        try:
            with unwrapped():
                if error is not None and not _may_be_cancelled(error):
                    self._nursery.cancel_scope.cancel()
                    await self._manager.__aexit__(None, None, None)
                    return False
                return bool(await self._manager.__aexit__(kind, error, trace))
        finally:
            del error, trace  # a `Cancelled` may refer to what is raised here, which must not refer to it


def _may_be_cancelled(error: BaseException) -> bool:
    """Return whether an exception may be for the nursery's cancel scope to catch: a `Cancelled`, or a group of some."""
    return isinstance(error, trio.Cancelled) or (
        isinstance(error, BaseExceptionGroup) and not isinstance(error, ExceptionGroup)
    )
