"""Gauges of a runtime, measured only while the event `phxactor.runtime.measured` has handlers.

A task of each runtime sleeps `SLICE` seconds again and again, and notes how late it wakes: by so much the loop lags. A
callback of the garbage collector notes how long the program stands still. Every `EVERY` seconds all of it is told.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from time import perf_counter
from typing import TYPE_CHECKING, Final, final

import trio

from phxactor.runtime._memory import resident
from phxactor.runtime.events import measured

if TYPE_CHECKING:
    from phxactor.runtime._runtime import Runtime

SLICE: Final = 0.1
"""Seconds between two looks at the clock."""
EVERY: Final = 5.0
"""Seconds between two events."""


@final
class CollectorPauses:
    """How often the garbage collector ran, and how long; a callback of `gc`. One for all runtimes of the program."""

    def __init__(self) -> None:
        self.collections = 0
        """Collections so far."""
        self.seconds = 0.0
        """Seconds of all of them."""
        self.longest = 0.0
        """Seconds of the longest one since it was last taken."""
        self._began = 0.0

    def __call__(self, phase: str, _: Mapping[str, int]) -> None:
        """Note the beginning and the end of a collection."""
        if phase == "start":
            self._began = perf_counter()
        elif self._began:
            seconds, self._began = perf_counter() - self._began, 0.0
            self.collections += 1
            self.seconds += seconds
            self.longest = max(self.longest, seconds)

    def take_longest(self) -> float:
        """Return and reset the seconds of the longest collection."""
        longest, self.longest = self.longest, 0.0
        return longest


PAUSES: Final = CollectorPauses()
_open: Final[dict[Runtime, bool]] = {}
"""The open runtimes of all threads, and of each whether its task runs."""


@contextmanager
def gauged(runtime: Runtime) -> Iterator[None]:
    """Measure a runtime during the block, while somebody listens."""
    _open[runtime] = False
    if measured.handlers:
        _start(runtime)
    try:
        yield
    finally:
        del _open[runtime]


def _switch() -> None:
    """Begin to measure, in whatever thread the first handler was attached; tasks end by themselves."""
    if not measured.handlers:
        if PAUSES in gc.callbacks:
            gc.callbacks.remove(PAUSES)
        return
    if PAUSES not in gc.callbacks:
        gc.callbacks.append(PAUSES)
    for runtime in list(_open):
        with suppress(trio.RunFinishedError):
            runtime.run_soon(lambda runtime=runtime: _start(runtime))  # type: ignore[misc]


def _start(runtime: Runtime) -> None:
    if _open.get(runtime) is False:
        _open[runtime] = True
        runtime.start_task(_measure, runtime, name="phxactor gauges")


async def _measure(runtime: Runtime) -> None:
    """Measure until nobody listens: the body of a task."""
    try:
        while measured.handlers:
            until, lag = runtime.now() + EVERY, 0.0
            while (before := runtime.now()) < until:
                await trio.sleep(SLICE)
                lag = max(lag, runtime.now() - before - SLICE)
            _tell(runtime, lag)
    finally:
        if runtime in _open:
            _open[runtime] = False


def _tell(runtime: Runtime, lag: float) -> None:
    counts = runtime.statistics()
    measured.emit(
        runtime=runtime,
        processes=counts.processes,
        zombies=counts.zombies,
        names=counts.names,
        timers=counts.timers,
        messages=counts.messages,
        longest_mailbox=max((len(pid.mailbox) for pid in list(runtime.processes.values())), default=0),
        lag=lag,
        collections=PAUSES.collections,
        collector_seconds=PAUSES.seconds,
        longest_collection=PAUSES.take_longest(),
        memory=resident(),
    )


measured.on_switch(_switch)
