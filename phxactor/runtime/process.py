"""The outermost frame of every process: it turns each way of ending into an exit reason, and lets nothing out (TM1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

import trio

from phxactor.runtime import events, signals
from phxactor.runtime.errors import Exit
from phxactor.runtime.pid import Pid, State
from phxactor.runtime.reasons import NORMAL, Crash, Reason

if TYPE_CHECKING:
    from phxactor.runtime.runtime import Runtime

current: Final[ContextVar[Pid]] = ContextVar("phxactor.current")
"""The process that runs; sub-tasks of a process inherit it."""


async def run_process(
    runtime: Runtime, pid: Pid, body: Callable[..., Awaitable[object]], args: tuple[object, ...]
) -> None:
    """Run a body to its end, then bury the process."""
    current.set(pid)
    reason: Reason = NORMAL
    failure: BaseException | None = None
    with trio.CancelScope() as scope:
        pid.scope = scope
        try:
            if pid.state is State.ALIVE:
                await body(*args)
        except Exit as error:
            reason = error.reason
        except BaseException as error:  # noqa: BLE001 - every way of ending becomes an exit reason
            failure = error
    if failure is not None:
        reason, failure = judge(failure)
    if pid.state is State.EXITING:
        # The reason was decided when the signal came; what the cleanup raised is told, not adopted (TM5).
        if failure is not None and events.cleanup_failed.handlers:
            events.cleanup_failed.emit(pid=pid, exception=failure)
        reason = pid.exit_reason
    elif failure is not None and events.crashed.handlers:
        events.crashed.emit(pid=pid, exception=failure)
    signals.bury(runtime, pid, reason)


def judge(error: BaseException) -> tuple[Reason, BaseException | None]:
    """Turn what came out of a body into an exit reason, and the failure to tell about, if it is one.

    A group stands for its only leaf that is no cancellation, or for the first `Exit` among its leaves (TM23).
    """
    leaves = [leaf for leaf in _leaves(error) if not isinstance(leaf, trio.Cancelled)]
    exits = [leaf for leaf in leaves if isinstance(leaf, Exit)]
    if exits:
        return exits[0].reason, None
    if not leaves:  # a bare cancellation: the process's own scope, or a foreign one (TM15)
        return Crash(error), None
    if len(leaves) == 1:
        return Crash(leaves[0]), leaves[0]
    return Crash(error), error


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in _leaves(part)]
    return [error]
