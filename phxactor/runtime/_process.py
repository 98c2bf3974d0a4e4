"""The outermost frame of every process: it turns every way of ending into an exit reason, and never raises (TM1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import current_task

from phxactor.runtime import _signals as signals
from phxactor.runtime import events, fork
from phxactor.runtime._errors import Exit
from phxactor.runtime._hints import explain
from phxactor.runtime._left_open import close_left_open, is_complaint
from phxactor.runtime._pid import Pid, current
from phxactor.runtime._reasons import NORMAL, Crash, Reason, is_normal
from phxactor.runtime._reported import note_report
from phxactor.runtime._state import ALIVE, DEAD
from phxactor.runtime._tracebacks import forget_frames, without_our_frame

if TYPE_CHECKING:
    from phxactor.runtime._runtime import Runtime


@trio.lowlevel.enable_ki_protection  # Ctrl-C is for `main`, not for the process that happens to run (TM33)
async def run_process(
    runtime: Runtime, pid: Pid, body: Callable[..., Awaitable[object]], args: tuple[object, ...]
) -> None:
    """Run a body to its end, then finish the process."""
    current.set(pid)
    reason: Reason = NORMAL
    failure: BaseException | None = None
    with trio.CancelScope() as scope:
        pid.scope = scope
        try:
            if pid.state is ALIVE:
                await body(*args)
        except Exit as error:
            reason = reason_of(error)
            if type(reason) is not str:
                forget_frames(reason)
        except BaseException as error:  # noqa: BLE001 - every way of ending becomes an exit reason
            fork.leave(error)
            failure = error
        task = current_task()
        complained = failure is not None and is_complaint(failure)
        if task._cancel_status is not scope._cancel_status or task._child_nurseries or pid.generators or complained:
            left = await close_left_open(pid, scope, complained=complained)
            if left:
                failure = failure_with_leftovers(pid, reason, failure, left)
            del left
    if failure is not None:
        reason = report_failure(pid, failure)
    if pid.state is not ALIVE:
        if pid.state is DEAD:
            runtime.zombies.given_up.discard(pid)
        reason = pid.exit_reason
    signals.finish(runtime, pid, reason)
    # From Python 3.13 on, the frames in a kept traceback keep this frame, and this frame would keep the process.
    del pid, body, args, reason, failure, scope, task


def report_failure(pid: Pid, failure: BaseException) -> Reason:
    """Report the exception of a body or a port, drop its frames, and return the exit reason of the process."""
    reason, told = reason_of_failure(without_our_frame(failure))
    if pid.state is ALIVE:
        if told is not None and events.crashed.handlers:
            events.crashed.emit(pid=pid, exception=told)
            note_report(pid, reason)
        forget_frames((reason, failure))
        return reason
    # The signal has fixed the exit reason; an exception from the cleanup is only reported (TM5).
    if told is not None and not is_cancellation(told):
        if events.cleanup_failed.handlers:
            events.cleanup_failed.emit(pid=pid, exception=told)
        forget_frames(failure)
    return pid.exit_reason


def failure_with_leftovers(
    pid: Pid, reason: Reason, failure: BaseException | None, left: list[BaseException]
) -> BaseException | None:
    """Return the failure of a process, given the exceptions raised while closing what it had left open (`left`).

    They are its failure if the body had none. Otherwise the event `cleanup_failed` reports each of them.
    """
    left = [error for error in left if not is_cancellation(error)]
    if pid.state is ALIVE and is_normal(reason) and (failure is None or is_cancellation(failure)) and left:
        return left[0] if len(left) == 1 else BaseExceptionGroup("raised by what the process had left open", left)
    if events.cleanup_failed.handlers:
        for error in left:
            events.cleanup_failed.emit(pid=pid, exception=error)
    return failure


def reason_of_failure(error: BaseException) -> tuple[Reason, BaseException | None]:
    """Turn the exception of a body into an exit reason, and into the failure to report, or None.

    A group counts as the first `Exit` among its leaves, else as its single leaf that is no cancellation; other leaves
    are reported, but are not the reason (TM23). A cancellation without a signal is a crash too (TM15). In a child of
    `os.fork`, this ends the child (see `fork`). An exception that comes from mixing asyncio and trio gets a note.
    """
    fork.leave(error)
    explain(error)
    leaves = _leaves(error)
    exits = [leaf for leaf in leaves if _is(leaf, Exit)]
    if exits:
        return reason_of(exits[0]), None if len(exits) == len(leaves) else error
    if len(leaves) == 1:
        return Crash(leaves[0]), leaves[0]
    return Crash(error), error


def reason_of(error: BaseException) -> Reason:
    """Return the reason of an `Exit`, or a `Crash` if a program's own subclass of `Exit` has not set one."""
    try:
        reason: Reason = error.reason  # type: ignore[attr-defined]
    except BaseException:  # noqa: BLE001 - the subclass may raise anything
        return Crash(TypeError(f"{type(error).__qualname__} has no reason: call Exit.__init__(reason)"))
    return reason


def is_cancellation(error: BaseException) -> bool:
    """Return whether an exception is trio's `Cancelled`, or a group of nothing else."""
    return not _leaves(error)


def _leaves(error: BaseException) -> list[BaseException]:
    if _is(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in _leaves(part)]  # type: ignore[attr-defined]
    return [] if _is(error, trio.Cancelled) else [error]


def _is(error: BaseException, kind: type[BaseException]) -> bool:
    """Test the class of an exception. `isinstance` may run the exception's own code, and nothing may raise here."""
    return issubclass(type(error), kind)
