"""Watching for a client's leaving by a task, where the system does not tell of it by itself (`Reader.watch`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from phxactor.runtime import is_cancellation


def in_background(wait: Callable[[], Awaitable[bool]], left: Callable[[], None]) -> Callable[[], None]:
    """Have a task wait for the end of a connection, and call `left` if `wait` says that it has come, or fails.

    Returns what ends the task, which takes a pass of the scheduler. `left` must not raise.
    """
    scope = trio.CancelScope()

    async def watch() -> None:
        with scope:
            try:
                gone = await wait()
            except trio.ClosedResourceError:  # by ourselves
                gone = False
            except BaseException as error:
                if is_cancellation(error):
                    raise
                gone = True  # a stream that fails, in whatever way, has no client any more
            if gone and not scope.cancel_called:
                left()

    trio.lowlevel.spawn_system_task(watch, name="phxactor: watches for a client's leaving")
    return scope.cancel
