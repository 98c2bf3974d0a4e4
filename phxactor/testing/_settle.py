"""Waiting until nothing more happens: after that, no message is still on its way."""

from __future__ import annotations

from time import monotonic
from typing import Final

from trio.testing import active_thread_count, wait_all_tasks_blocked

GLANCE: Final = 0.001
"""Real seconds between two checks whether threads have finished."""
PATIENCE: Final = 5.0
"""Real seconds that threads of `trio.to_thread` may take."""


async def settle() -> None:
    """Return when every process is idle: nothing more happens until time passes, or something comes from outside.

    All sent messages have been received, except those that their receiver does not want yet. Ports have done their
    postponed work, due timers have fired, and no thread of `trio.to_thread` is working. A mock clock does not jump
    meanwhile, so not even a time-out of a millisecond expires.

    Data on its way through the operating system (a socket, a child process) is not waited for.

    Raises:
        TimeoutError: a thread of `trio.to_thread` still works after `PATIENCE` seconds.

    """
    began = monotonic()
    await wait_all_tasks_blocked()
    while active_thread_count():
        if monotonic() - began > PATIENCE:
            raise TimeoutError(f"a thread of trio.to_thread works on for {PATIENCE:g} s: settle() waits for it in vain")
        await wait_all_tasks_blocked(GLANCE)
