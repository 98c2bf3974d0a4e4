"""Opens a runtime, and stops it in order, whatever happens in its block."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from phxactor.runtime import fork
from phxactor.runtime._errors import Exit
from phxactor.runtime._gauges import gauged
from phxactor.runtime._generators import Generators
from phxactor.runtime._here import opened
from phxactor.runtime._host import Host
from phxactor.runtime._left_open import close_left_open, end_lost_tasks
from phxactor.runtime._pid import current
from phxactor.runtime._process import failure_with_leftovers, is_cancellation, reason_of_failure
from phxactor.runtime._reasons import NORMAL, SHUTDOWN, Reason, Shutdown, exception_of, is_benign
from phxactor.runtime._runtime import Runtime
from phxactor.runtime._state import ALIVE
from phxactor.runtime._stopping import stop_without_host
from phxactor.runtime._zombies import KILL_GRACE

STOP_TIMEOUT: Final = 60.0
"""Seconds that all of `main`'s children together have for an orderly stop before they are killed."""


@asynccontextmanager
@trio.lowlevel.enable_ki_protection  # protects entry and exit; in the block, Ctrl-C acts as in any main task
async def open_runtime(*, stop_timeout: float = STOP_TIMEOUT, kill_grace: float = KILL_GRACE) -> AsyncIterator[Runtime]:
    """Open a runtime, and make the calling task its first process, `main`, until the block is left.

    When the block is left, in whatever way, `main`'s children are stopped in order, and killed after `stop_timeout`
    seconds. A killed process that has not ended after `kill_grace` seconds counts as dead (see `zombies`).

    Raises what the block raises, unchanged; but an `Exit` only if its reason is not benign (`is_benign`). If a signal
    ends `main`, the block is cancelled, and `Exit` is raised by the same rule; also if a child did not start and its
    supervisor, linked to `main`, ended for that, which by itself is benign (S12). Cancel scopes, nurseries and async
    generators that the block leaves open are closed. An exception from that is raised if the block raised none.

    Raises RuntimeError if the nursery of all processes was cancelled or failed, which no process can cause by itself.
    """
    reason: Reason = NORMAL
    failure: BaseException | None = None
    left: list[BaseException] = []
    async with trio.open_nursery() as around:
        outer_nurseries = len(trio.lowlevel.current_task().child_nurseries)
        host = await Host.open(around)
        runtime = Runtime(host.nursery, kill_grace)
        host.runtime = runtime
        main = runtime.main
        before = current.set(main)
        with Generators(runtime).watched(), opened(runtime), gauged(runtime):
            try:
                with trio.CancelScope() as main.scope:
                    try:
                        yield runtime
                    except BaseException as error:
                        fork.leave(error)
                        raise
                    finally:
                        left = await close_left_open(main, main.scope, outer_nurseries=outer_nurseries)
            except BaseException as error:  # noqa: BLE001 - raised again below, where no nursery wraps it in a group
                failure = error
                reason = SHUTDOWN if is_cancellation(error) else reason_of_failure(error)[0]
            finally:
                current.reset(before)
            if left and (failure := failure_with_leftovers(main, reason, failure, left)) is not None:
                reason = reason_of_failure(failure)[0]
            if main.state is not ALIVE:
                reason = main.exit_reason
            interrupt = await _stop(host, runtime, reason, stop_timeout)
            if runtime.zombies.given_up and runtime.abandon is not None:
                runtime.abandon(failure)
            host.close()
    runtime.let_go()
    try:
        if interrupt is not None:
            raise interrupt
        if host.lost:
            raise host.failure(failure)
        if failure is not None and reason_of_failure(failure)[1] is not None:
            raise failure
        if not is_benign(reason) or _did_not_start(reason):
            cause = exception_of(reason)
            raise Exit(reason) from (failure if cause is None else cause)
    finally:
        del interrupt, failure, left, reason  # the traceback of what is raised keeps this frame


def _did_not_start(reason: Reason) -> bool:
    """Return whether a supervisor has ended for a child that did not start (S12): the block's work was not done."""
    detail = reason.detail if type(reason) is Shutdown else None
    return type(detail) is tuple and detail[:1] == ("failed_to_start_child",)


async def _stop(host: Host, runtime: Runtime, reason: Reason, timeout: float) -> KeyboardInterrupt | None:
    """Stop all processes in order. Ctrl-C sets the time for that to zero, and is returned."""
    interrupt: KeyboardInterrupt | None = None
    stopped = False
    while not stopped:
        try:
            with trio.CancelScope(shield=True) as host.stopping:
                if not host.lost:
                    await runtime.stop(reason, timeout)
            if host.lost:
                with trio.CancelScope(shield=True):
                    await stop_without_host(runtime, reason, host.ended)
            end_lost_tasks()
            stopped = True
        except KeyboardInterrupt as error:
            interrupt, timeout = error, 0
    return interrupt
