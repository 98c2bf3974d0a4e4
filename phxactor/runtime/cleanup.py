"""Cleaning up with `await` in a process that is ending.

After a fatal exit signal every `await` of a process raises trio's `Cancelled`, in `finally` blocks too (TM6). A shield
of trio's own would keep a kill away as well (TM7); this one does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from phxactor.runtime.reasons import KILLED, is_atom
from phxactor.runtime.runtime import current_process


@contextmanager
def cleanup(seconds: float) -> Iterator[None]:
    """Let the block wait, for at most so many seconds, whatever exit signal has come or comes; but a kill ends it.

        try:
            ...
        finally:
            with cleanup(2.0):
                await connection.send_all(b"bye")

    Raises NotAProcessError outside of a process. In one that has been killed there is no shield (TM6).
    """
    pid = current_process()
    cleanups = pid.runtime.cleanups
    scope = trio.CancelScope(shield=not is_atom(pid.exit_reason, KILLED), deadline=trio.current_time() + seconds)
    cleanups.setdefault(pid, []).append(scope)
    try:
        with scope:
            yield
    finally:
        cleanups[pid].remove(scope)
        if not cleanups[pid]:
            del cleanups[pid]
