"""Running a program: `main` is its first process, and the signals of the operating system stop it in order."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import trio

from phxactor.runtime import garbage
from phxactor.runtime.errors import Exit
from phxactor.runtime.opening import STOP_TIMEOUT, open_runtime
from phxactor.runtime.reasons import KILL, KILLED, SHUTDOWN
from phxactor.runtime.runtime import Runtime
from phxactor.runtime.watchdog import STUCK_AFTER, watched

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def run(
    main: Callable[..., Awaitable[object]],
    *args: object,
    stop_timeout: float = STOP_TIMEOUT,
    stuck_after: float = STUCK_AFTER,
) -> None:
    """Run `await main(*args)` as the first process of a new runtime, until it returns and all others have been stopped.

    SIGINT (Ctrl-C) or SIGTERM is an exit signal `SHUTDOWN` to `main`: an orderly stop, for which there are
    `stop_timeout` seconds, and after which this returns. A second one kills whatever is still there, and raises `Exit`;
    a third does what it does to any program. What `main` raises is raised here. In another thread than the main one, no
    signals are received. Meanwhile the garbage collector is set for many small processes (see `garbage`), and a thread
    tells of a process that has let nothing else run for `stuck_after` seconds (see `watchdog`; `math.inf` for none).
    """
    if not stuck_after > 0:
        raise ValueError(f"stuck_after is a number of seconds above 0, or math.inf, not {stuck_after!r}")
    trio.run(_watched, main, args, stop_timeout, stuck_after)


async def _watched(
    main: Callable[..., Awaitable[object]], args: tuple[object, ...], stop_timeout: float, stuck_after: float
) -> None:
    if stuck_after == math.inf:
        await _run(main, args, stop_timeout)
    else:
        with watched(stuck_after):
            await _run(main, args, stop_timeout)


async def _run(main: Callable[..., Awaitable[object]], args: tuple[object, ...], stop_timeout: float) -> None:
    if threading.current_thread() is not threading.main_thread():
        async with open_runtime(stop_timeout=stop_timeout) as runtime:
            with garbage.tuned(runtime):
                await main(*args)
        return
    forced = trio.Event()
    with trio.open_signal_receiver(*_SIGNALS) as arrivals:
        async with open_runtime(stop_timeout=stop_timeout) as runtime:
            trio.lowlevel.spawn_system_task(_obey, arrivals, runtime, forced)  # until the program ends
            with garbage.tuned(runtime):
                await main(*args)
    if forced.is_set():
        raise Exit(KILLED)


async def _obey(arrivals: AsyncIterator[int], runtime: Runtime, forced: trio.Event) -> None:
    """Turn the signals of the operating system into exit signals."""
    await anext(arrivals)
    runtime.main.exit(SHUTDOWN)
    await anext(arrivals)
    forced.set()
    runtime.main.exit(KILL)
    runtime.kill()
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
