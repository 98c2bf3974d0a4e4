"""Opening a runtime, and leaving it in order whatever happens in its block."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from phxactor.runtime.errors import Exit
from phxactor.runtime.pid import current
from phxactor.runtime.process import is_cancellation, judge
from phxactor.runtime.reasons import NORMAL, SHUTDOWN, Crash, Reason, is_benign
from phxactor.runtime.runtime import Runtime
from phxactor.runtime.state import ALIVE
from phxactor.runtime.zombies import KILL_GRACE

STOP_TIMEOUT: Final = 60.0
"""Seconds that `main`'s children have, together, for an orderly stop before they are killed."""


@asynccontextmanager
@trio.lowlevel.enable_ki_protection  # of the way in and out; in the block, Ctrl-C is as in any main task
async def open_runtime(*, stop_timeout: float = STOP_TIMEOUT, kill_grace: float = KILL_GRACE) -> AsyncIterator[Runtime]:
    """Open a runtime, and make the calling task its first process, `main`, until the block is left.

    On the way out, whatever the way, `main`'s children are stopped in order, and killed after `stop_timeout` seconds.
    A killed process has `kill_grace` seconds before it is taken for dead (see `zombies`).

    What the block raises comes out of it unchanged; an `Exit`, only if its reason is no benign one. When a signal ends
    `main`, the block is cancelled, and `Exit` comes out of it in the same way.
    """
    reason: Reason = NORMAL
    failure: BaseException | None = None
    async with trio.open_nursery() as around:
        nursery = await _open_shielded(around)
        runtime = Runtime(nursery, kill_grace)
        main = runtime.main
        before = current.set(main)
        try:
            with trio.CancelScope() as main.scope:
                yield runtime
        except BaseException as error:  # noqa: BLE001 - raised again below, outside of the nursery's group
            failure = error
            reason = SHUTDOWN if is_cancellation(error) else judge(error)[0]
        finally:
            current.reset(before)
        if main.state is not ALIVE:
            reason = main.exit_reason
        interrupt = await _stop(runtime, reason, stop_timeout)
        nursery.cancel_scope.cancel()
    if interrupt is not None:
        raise interrupt
    if failure is not None and judge(failure)[1] is not None:
        raise failure
    if not is_benign(reason):
        raise Exit(reason) from (reason.exception if isinstance(reason, Crash) else failure)


async def _stop(runtime: Runtime, reason: Reason, timeout: float) -> KeyboardInterrupt | None:
    """Stop in order; Ctrl-C meanwhile ends the patience, and is returned."""
    interrupt: KeyboardInterrupt | None = None
    stopped = False
    while not stopped:
        try:
            with trio.CancelScope(shield=True):
                await runtime.stop(reason, timeout)
            stopped = True
        except KeyboardInterrupt as error:
            interrupt, timeout = error, 0
    return interrupt


async def _open_shielded(around: trio.Nursery) -> trio.Nursery:
    """Open a nursery in a task of its own, which an outer cancellation does not reach (TM30)."""
    opened: list[trio.Nursery] = []
    ready = trio.Event()

    async def host() -> None:
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                opened.append(nursery)
                ready.set()
                await trio.sleep_forever()

    around.start_soon(host, name="phxactor runtime")
    with trio.CancelScope(shield=True):  # Nursery.start would wait for ever, where all is cancelled
        await ready.wait()
    return opened[0]
