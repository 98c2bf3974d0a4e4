"""Runs a program: `main` is its first process, and SIGINT or SIGTERM stops it in order."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import trio

from phxactor import _checks as check
from phxactor.runtime import _garbage as garbage
from phxactor.runtime._errors import Exit
from phxactor.runtime._garbage import COLLECTORS, Collector
from phxactor.runtime._hard_stop import LAST, HardStop
from phxactor.runtime._open_runtime import STOP_TIMEOUT, open_runtime
from phxactor.runtime._reasons import KILL, KILLED, SHUTDOWN
from phxactor.runtime._runtime import Runtime
from phxactor.runtime._system_signals import SystemSignals
from phxactor.runtime._watchdog import STUCK_AFTER, watched
from phxactor.telemetry import end_log


def run(
    main: Callable[..., Awaitable[object]],
    *args: object,
    stop_timeout: float = STOP_TIMEOUT,
    stuck_after: float = STUCK_AFTER,
    collector: Collector = "processes",
    parent: bool = False,
) -> None:
    """Run `await main(*args)` as the first process of a new runtime; return when all processes have ended.

    SIGINT (Ctrl-C) or SIGTERM sends `main` the exit signal `SHUTDOWN`: an orderly stop, which has `stop_timeout`
    seconds, and after which `run` returns. A second signal kills the remaining processes, and `run` raises `Exit`. A
    third SIGINT or SIGTERM gets the system's default handling. `run` raises what `main` raises.

    The program ends in time in every state. If a process blocks the loop or resists its kill, a thread ends the program
    by force `LAST` seconds (1) after `stop_timeout` or after the second signal. It prints where the program was, and
    the exit code is 1 or that of the signal. In a thread other than the main thread, `run` handles no signals and
    ends nothing by force.

    While the program runs, the garbage collector is tuned for many small processes (see `garbage`), unless `collector`
    is `"python"`. A thread reports a process that lets nothing else run for `stuck_after` seconds (see `watchdog`;
    `math.inf` means no such thread).

    With `parent`, another process has started this one and stops it: SIGINT and a second SIGTERM do nothing here.

    Raises ValueError for another value of `collector`, or a `stuck_after` that is not above 0.
    """
    check_care(stuck_after, collector)
    try:
        trio.run(_run_watched, partial(main, *args), stop_timeout, stuck_after, collector, parent)
    finally:
        end_log(failed=sys.exception() is not None)


def check_care(stuck_after: float, collector: Collector) -> None:
    """Raise ValueError for an option that `run` does not allow."""
    check.choice("collector", collector, COLLECTORS)
    check.seconds("stuck_after", stuck_after)


async def run_hosted(
    main: Callable[[], Awaitable[object]],
    opened: Callable[[Runtime], None],
    *,
    stop_timeout: float,
    stuck_after: float,
    collector: Collector,
) -> None:
    """Do as `run`, in a trio run that another loop hosts (`trio.lowlevel.start_guest_run`): the signals are the host's.

    `opened` is called with the runtime before `main` runs. The host stops the program by an exit signal to
    `runtime.main`, as `stop` and `kill` do.
    """
    with _watchdog(stuck_after):
        async with open_runtime(stop_timeout=stop_timeout) as runtime:
            opened(runtime)
            with garbage.tuned(runtime, collector):
                await main()


def stop(runtime: Runtime) -> None:
    """Stop a program in order, as the first signal does; from its thread."""
    runtime.main.exit(SHUTDOWN)


def kill(runtime: Runtime) -> None:
    """Kill all processes of a program, as the second signal does; from its thread."""
    runtime.main.exit(KILL)
    runtime.kill()


@contextmanager
def _watchdog(stuck_after: float) -> Iterator[None]:
    if stuck_after == math.inf:
        yield
    else:
        with watched(stuck_after):
            yield


async def _run_watched(
    main: Callable[[], Awaitable[object]],
    stop_timeout: float,
    stuck_after: float,
    collector: Collector,
    parent: bool,  # noqa: FBT001 - trio.run passes on positional arguments only
) -> None:
    with _watchdog(stuck_after):
        await _run(main, stop_timeout, collector, parent=parent)


async def _run(
    main: Callable[[], Awaitable[object]], stop_timeout: float, collector: Collector, *, parent: bool
) -> None:
    if threading.current_thread() is not threading.main_thread():
        async with open_runtime(stop_timeout=stop_timeout) as runtime:
            with garbage.tuned(runtime, collector):
                await main()
        return
    hard_stop = HardStop()
    token = trio.lowlevel.current_trio_token()
    running: list[Runtime] = []

    def ask(act: Callable[[Runtime], None]) -> None:
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(do, act)

    def do(act: Callable[[Runtime], None]) -> None:
        for runtime in running:
            act(runtime)

    with SystemSignals(
        stop_timeout, hard_stop, stop=partial(ask, stop), kill=partial(ask, kill), parent=parent
    ) as signals:
        try:
            async with open_runtime(stop_timeout=stop_timeout) as runtime:
                running.append(runtime)
                runtime.abandon = partial(abandon, hard_stop, runtime)
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


def abandon(hard_stop: HardStop, runtime: Runtime, failure: BaseException | None) -> None:
    """End the program by force: all that is left are killed processes whose tasks still run."""
    hard_stop.failure = failure
    left = ", ".join(map(repr, runtime.zombies.given_up))
    hard_stop.now(f"{left}: killed, and still running")
