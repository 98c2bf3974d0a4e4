"""The end of a runtime: the order in which its processes end, and what happens to those that do not end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from phxactor.runtime import _signals as signals
from phxactor.runtime import events
from phxactor.runtime._countdown import counted
from phxactor.runtime._reasons import SHUTDOWN, Reason
from phxactor.runtime._state import ALIVE, EXITING

if TYPE_CHECKING:
    from phxactor.runtime._runtime import Runtime

PASSES_WITHOUT_EXIT: Final = 4
"""Number of scheduler passes without an exit after which a stopping runtime kills the remaining processes."""


@trio.lowlevel.enable_ki_protection
async def stop(runtime: Runtime, reason: Reason, timeout: float) -> None:
    """End every process: `main`'s children, last started first, then the remaining processes, then `main`.

    Each child gets `SHUTDOWN` from `main`, and has wholly ended before the next child gets it (S50). The remaining
    processes may end by themselves after the ends that they have heard of. After that, and for the children after
    `timeout` seconds, it is `KILL`. `reason` is the exit reason of `main`.
    """
    main = runtime.main
    if main.state is ALIVE:
        main.state = EXITING
        main.sink_type = None
        main.budget = 0
        main.exit_reason = reason
    with counted(runtime.timers, timeout):
        for pid in reversed(list(runtime.processes.values())):
            if pid.parent is main:
                signals.exit_signal(pid, main, SHUTDOWN)
                await runtime.ended(pid)
    await _let_processes_end(runtime)
    if len(runtime.processes) > 1 and events.stray.handlers:
        events.stray.emit(pids=runtime.others())
    while left := runtime.others():
        runtime.kill()
        for pid in left:
            await runtime.ended(pid)
    _end(runtime, reason)


async def stop_without_host(runtime: Runtime, reason: Reason, ended: trio.Event) -> None:
    """End every process after the nursery was lost, when no timer runs any more (see `Host`)."""
    runtime.kill()
    with trio.move_on_after(runtime.zombies.grace):
        await ended.wait()
    for pid in runtime.others():
        runtime.zombies.given_up.add(pid)
        signals.finish(runtime, pid, pid.exit_reason)
    _end(runtime, reason)


def _end(runtime: Runtime, reason: Reason) -> None:
    signals.finish(runtime, runtime.main, reason)
    runtime.thread = 0


async def _let_processes_end(runtime: Runtime) -> None:
    """Let processes run that have just heard of an end, until `PASSES_WITHOUT_EXIT` passes go by without one."""
    fewest, passes = len(runtime.processes), 0
    while fewest > 1 and passes < PASSES_WITHOUT_EXIT:
        await trio.lowlevel.checkpoint()
        passes += 1
        if len(runtime.processes) < fewest:
            fewest, passes = len(runtime.processes), 0
