"""Waiting until nothing happens any more: so that what has not come by then does not come."""

from __future__ import annotations

from time import monotonic
from typing import Final

from trio.testing import active_thread_count, wait_all_tasks_blocked

GLANCE: Final = 0.001
"""Real seconds between two looks at whether threads are done."""
PATIENCE: Final = 5.0
"""Real seconds that threads may take."""


async def settle() -> None:
    """Return when every process is idle: nothing more will happen until time passes, or something comes from outside.

    All messages that were sent have been taken, or wait for who does not want them; what ports put off to a later pass
    has been done; timers that are due have fired; `trio.to_thread` has no thread that still works. The clock stands
    still meanwhile, also one that jumps when all tasks wait: a time-out of a millisecond is not over.

    What is on its way through the operating system (a socket, a child process) is not seen.

    Raises:
        TimeoutError: a thread works on for `PATIENCE` seconds; it may be one that waits for ever.

    """
    began = monotonic()
    await wait_all_tasks_blocked()
    while active_thread_count():
        if monotonic() - began > PATIENCE:
            raise TimeoutError(f"a thread of trio.to_thread works on for {PATIENCE:g} s: settle() waits for it in vain")
        await wait_all_tasks_blocked(GLANCE)
