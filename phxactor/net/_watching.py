"""A watch for a client's leaving by a task, for connections that the reader's epoll does not watch (`Reader.watch`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from phxactor.runtime import is_cancellation


def in_background(wait: Callable[[], Awaitable[bool]], left: Callable[[], None]) -> Callable[[], None]:
    """Start a task that awaits `wait`, and calls `left` if `wait` returns True or fails. `left` must not raise.

    Returns a function that cancels the task; the task ends in the next pass of the scheduler.
    """
    scope = trio.CancelScope()

    async def watch() -> None:
        with scope:
            try:
                gone = await wait()
            except trio.ClosedResourceError:  # this process has closed the connection
                gone = False
            except BaseException as error:
                if is_cancellation(error):
                    raise
                gone = True  # a stream that fails in any way has lost its client
            if gone and not scope.cancel_called:
                left()

    trio.lowlevel.spawn_system_task(watch, name="phxactor: watches for a client's leaving")
    return scope.cancel
