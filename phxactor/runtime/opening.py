"""Opening a runtime, and leaving it in order whatever happens in its block."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from phxactor.runtime import fork
from phxactor.runtime.errors import Exit
from phxactor.runtime.generators import Generators
from phxactor.runtime.here import opened
from phxactor.runtime.host import Host
from phxactor.runtime.left_open import close_left_open, end_lost_tasks
from phxactor.runtime.pid import current
from phxactor.runtime.process import blame_what_was_left, is_cancellation, judge
from phxactor.runtime.reasons import NORMAL, SHUTDOWN, Reason, exception_of, is_benign
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
    `main`, the block is cancelled, and `Exit` comes out of it in the same way. What the block leaves open (cancel
    scopes, nurseries, async generators) is closed; what that raises comes out if the block raised nothing itself.

    Raises RuntimeError when the nursery of all processes was cancelled or failed, which no process can do by itself.
    """
    reason: Reason = NORMAL
    failure: BaseException | None = None
    left: list[BaseException] = []
    async with trio.open_nursery() as around:
        outer_nurseries = len(trio.lowlevel.current_task().child_nurseries)
        host = await Host.open(around)
        runtime = Runtime(host.nursery, kill_grace)
        host.lost_by = runtime
        main = runtime.main
        before = current.set(main)
        with Generators(runtime).watched(), opened(runtime):
            try:
                with trio.CancelScope() as main.scope:
                    try:
                        yield runtime
                    except BaseException as error:
                        fork.leave(error)
                        raise
                    finally:
                        left = await close_left_open(main, main.scope, outer_nurseries=outer_nurseries)
            except BaseException as error:  # noqa: BLE001 - raised again below, outside of the nursery's group
                failure = error
                reason = SHUTDOWN if is_cancellation(error) else judge(error)[0]
            finally:
                current.reset(before)
            if left and (failure := blame_what_was_left(main, reason, failure, left)) is not None:
                reason = judge(failure)[0]
            if main.state is not ALIVE:
                reason = main.exit_reason
            interrupt = await _stop(host, runtime, reason, stop_timeout)
            if runtime.zombies.undead and runtime.abandon is not None:
                runtime.abandon(failure)
            host.close()
    try:
        if interrupt is not None:
            raise interrupt
        if host.lost:
            raise host.failure(failure)
        if failure is not None and judge(failure)[1] is not None:
            raise failure
        if not is_benign(reason):
            cause = exception_of(reason)
            raise Exit(reason) from (failure if cause is None else cause)
    finally:
        del interrupt, failure, left, reason  # what is raised knows this frame by its traceback


async def _stop(host: Host, runtime: Runtime, reason: Reason, timeout: float) -> KeyboardInterrupt | None:
    """Stop in order; Ctrl-C meanwhile ends the patience, and is returned."""
    interrupt: KeyboardInterrupt | None = None
    stopped = False
    while not stopped:
        try:
            with trio.CancelScope(shield=True) as host.stopping:
                if not host.lost:
                    await runtime.stop(reason, timeout)
            if host.lost:
                with trio.CancelScope(shield=True):
                    await runtime.stop_without_host(reason, host.ended)
            end_lost_tasks()
            stopped = True
        except KeyboardInterrupt as error:
            interrupt, timeout = error, 0
    return interrupt
