"""Running a program: `main` is its first process, and the signals of the operating system stop it in order."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial

import trio

from phxactor.runtime import garbage
from phxactor.runtime.errors import Exit
from phxactor.runtime.garbage import COLLECTORS, Collector
from phxactor.runtime.hard_stop import LAST, HardStop
from phxactor.runtime.opening import STOP_TIMEOUT, open_runtime
from phxactor.runtime.reasons import KILLED
from phxactor.runtime.runtime import Runtime
from phxactor.runtime.system_signals import SystemSignals
from phxactor.runtime.watchdog import STUCK_AFTER, watched
from phxactor.telemetry.log_writer import end_log


def run(
    main: Callable[..., Awaitable[object]],
    *args: object,
    stop_timeout: float = STOP_TIMEOUT,
    stuck_after: float = STUCK_AFTER,
    collector: Collector = "processes",
) -> None:
    """Run `await main(*args)` as the first process of a new runtime, until it returns and all others have been stopped.

    SIGINT (Ctrl-C) or SIGTERM is an exit signal `SHUTDOWN` to `main`: an orderly stop, for which there are
    `stop_timeout` seconds, and after which this returns. A second one kills whatever is still there, and raises `Exit`.
    What `main` raises is raised here.

    The program ends in time in every state. When it has not ended `LAST` seconds (1) after `stop_timeout` or after the
    second signal, since a process holds the loop up or does not let itself be killed, it is ended by force, with a
    line that says where it was, and exit code 1 or the signal's. In another thread than the main one, no signals are
    received, and nothing is ended by force.

    Meanwhile the garbage collector is set for many small processes (see `garbage`); with `collector="python"` it is
    left alone. A thread tells of a process that has let nothing else run for `stuck_after` seconds (see `watchdog`;
    `math.inf` for none).
    """
    if collector not in COLLECTORS:
        raise ValueError(f"collector is one of {', '.join(map(repr, COLLECTORS))}, not {collector!r}")
    if not stuck_after > 0:
        raise ValueError(f"stuck_after is a number of seconds above 0, or math.inf, not {stuck_after!r}")
    try:
        trio.run(_watched, partial(main, *args), stop_timeout, stuck_after, collector)
    finally:
        end_log(failed=sys.exception() is not None)


async def _watched(
    main: Callable[[], Awaitable[object]], stop_timeout: float, stuck_after: float, collector: Collector
) -> None:
    if stuck_after == math.inf:
        await _run(main, stop_timeout, collector)
    else:
        with watched(stuck_after):
            await _run(main, stop_timeout, collector)


async def _run(main: Callable[[], Awaitable[object]], stop_timeout: float, collector: Collector) -> None:
    if threading.current_thread() is not threading.main_thread():
        async with open_runtime(stop_timeout=stop_timeout) as runtime:
            with garbage.tuned(runtime, collector):
                await main()
        return
    hard_stop = HardStop()
    with SystemSignals(stop_timeout, hard_stop) as signals:
        try:
            async with open_runtime(stop_timeout=stop_timeout) as runtime:
                signals.runtime = runtime
                runtime.abandon = partial(_abandon, hard_stop, runtime)
                try:
                    with garbage.tuned(runtime, collector):
                        await main()
                finally:
                    hard_stop.failure = sys.exception()
                    hard_stop.arm(stop_timeout + LAST)
        finally:
            hard_stop.ended()
    if signals.forced:
        raise Exit(KILLED)


def _abandon(hard_stop: HardStop, runtime: Runtime, failure: BaseException | None) -> None:
    """End the program, of which nothing is left but processes that were killed and go on."""
    hard_stop.failure = failure
    left = ", ".join(map(repr, runtime.zombies.undead))
    hard_stop.now(f"{left}: killed, and still running")
