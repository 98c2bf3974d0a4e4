"""Cleaning up with `await` in a process that is ending.

After a fatal exit signal every `await` of a process raises trio's `Cancelled`, in `finally` blocks too (TM6). A plain
`trio.CancelScope(shield=True)` would also hold off a kill (TM7). The shield of `cleanup` does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from phxactor.runtime._reasons import KILLED, is_atom
from phxactor.runtime._runtime import current_process


@contextmanager
def cleanup(seconds: float) -> Iterator[None]:
    """Let the block await for at most `seconds`, despite earlier or later exit signals. A kill ends the block.

        try:
            ...
        finally:
            with cleanup(2.0):
                await connection.send_all(b"bye")

    Raises NotAProcessError outside of a process. A killed process gets no shield (TM6).
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
