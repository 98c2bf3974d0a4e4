"""CPython's garbage collector, tuned for programs of many small, long-lived processes: `collector="processes"`.

By default CPython looks for cycles after every 700 new objects. As a program grows, it traverses all objects again and
again, and stops everything meanwhile (figures: docs/garbage.md). So while a program runs:

- A young collection traverses each new object once. It is skipped when at least one process per `YOUNG` new objects has
  started since the last one: the objects are theirs, and alive.
- Objects that survive or skip that collection are *frozen* (`gc.freeze`): later collections do not traverse them.
  Reference counting frees nearly all of them. So each object is traversed at most once, and pauses stay short.
- A cycle dropped later waits for a full collection. The program asks for one by `gc.collect()`, which unfreezes
  everything first, or by `sweep`. It also runs when the frozen objects, or the bytes of memory, are more than the
  number of processes accounts for and more than twice what the last full collection left. If many processes have ended,
  it waits: their memory is on its way out, and what they still hold would make the collection long.

With `collector="python"` this module changes nothing and freezes nothing.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import trio

from phxactor.runtime._memory import give_back, resident

if TYPE_CHECKING:
    from phxactor.runtime._runtime import Runtime

Collector: TypeAlias = Literal["processes", "python"]
"""The setting of the collector: `"processes"` as this module describes, `"python"` for CPython's own."""
COLLECTORS: Final = ("processes", "python")

THRESHOLDS: Final = (700, 1_000_000, 1_000_000)
"""Thresholds for `gc.set_threshold`: new objects before a young collection; the older generations stay empty."""
SLACK: Final = 250_000
"""Number of frozen objects below which no full collection is due."""
OF_PROCESS: Final = 400
"""Number of frozen objects allowed for each process: four times what a channel and its connection have."""
SLACK_BYTES: Final = 64 * 1024 * 1024
"""Bytes of memory below which no full collection is due."""
BYTES_OF_PROCESS: Final = 32 * 1024
"""Bytes of memory allowed for each process."""
YOUNG: Final = 100
"""Number of new objects attributed to each process started since the last collection: twice what a channel has."""
SETTLING: Final = 10.0
"""After many processes have ended, seconds that a full collection waits: their connections take 5 to close."""
MANY: Final = 100
"""Many processes have ended if more than so many have, and"""
FALLING: Final = 16
"""more than one in so many."""
EVERY: Final = 64
"""Number of freezes between two counts of the frozen objects, at least: a count visits all of them."""


class Freezer:
    """The callback that the garbage collector calls before and after each collection. All programs share one."""

    def __init__(self) -> None:
        """Start without runtimes."""
        self.runtimes: list[Runtime] = []
        """The runtimes of the programs. They may be in several threads, and end in any order."""
        self.thresholds = gc.get_threshold()
        """The collector's thresholds from before the first runtime."""
        self.asked = False
        """Whether a runtime has been asked for a full collection that has not run yet."""
        self._freezings = 0
        """Number of freezes since the last count of the frozen objects."""
        self._added = 0
        """Number of new objects seen by collections since the last count: at most this many have been frozen."""
        self._counted = 0
        """Number of frozen objects at the last count."""
        self._spare = SLACK
        """Number of frozen objects allowed, in addition to those of the processes."""
        self._spare_bytes = max(SLACK_BYTES, 2 * resident())
        """Bytes of memory allowed, in addition to those of the processes."""
        self._processes = 0
        """Number of processes at the last collection."""
        self._most = 0
        """The largest number of processes at a collection since the last full one."""

    def __call__(self, phase: str, info: Mapping[str, int]) -> None:
        """Freeze the new objects of new processes before a collection, and the surviving objects after it.

        If too much is frozen, ask a runtime for a full collection: none can start within a collection.
        """
        full = info["generation"] == 2  # noqa: PLR2004 - of three
        if phase == "start":
            young = gc.get_count()[0]  # from Python 3.12 on, one call into C may have made any number of objects
            self._added += young
            # The growth, not the number of starts: processes that have ended may have left garbage.
            before, self._processes = self._processes, self._running()
            self._most = max(self._most, self._processes)
            if full:
                gc.unfreeze()  # the program has asked for a full collection
            elif info["generation"] == 0 and young <= YOUNG * (self._processes - before):
                gc.freeze()  # leaves nothing to traverse
            return
        gc.freeze()
        if full:
            self._swept()
            return
        self._freezings += 1
        if not self.asked and self.runtimes and self._too_much():
            self.asked = True
            self.runtimes[0].run_soon(self._sweep_later if _has_fallen(self._most, self._processes) else sweep)

    def _sweep_later(self) -> None:
        """Run a full collection once no longer many processes end."""
        trio.lowlevel.spawn_system_task(self._sweep_once_settled, context=Context())

    async def _sweep_once_settled(self) -> None:
        before = self._running()
        while self.asked:  # until the program asks for one itself, or the runtime ends
            await trio.sleep(SETTLING)
            before, last = self._running(), before
            if not _has_fallen(last, before):
                break
        if self.asked:
            sweep()

    def add(self, objects: int) -> None:
        """Count objects that are frozen without a collection."""
        self._added += objects

    def _too_much(self) -> bool:
        """Return whether too much is frozen or in memory; count the objects only if they could be too many."""
        processes = self._running()
        if resident() > self._spare_bytes + BYTES_OF_PROCESS * processes:
            return True
        limit = self._spare + OF_PROCESS * processes
        return self._freezings >= EVERY and self._counted + self._added > limit and self._count() > limit

    def _swept(self) -> None:
        """Count what a full collection has left. If this callback asked for it, allow twice as much from now on."""
        left, processes = self._count(), self._running()
        if self.asked:
            give_back()
            self._spare = max(SLACK, 2 * left - OF_PROCESS * processes)
            self._spare_bytes = max(SLACK_BYTES, 2 * resident() - BYTES_OF_PROCESS * processes)
        self.asked = False
        self._most = processes

    def _count(self) -> int:
        """Count the frozen objects."""
        self._counted, self._freezings, self._added = gc.get_freeze_count(), 0, 0
        return self._counted

    def _running(self) -> int:
        """Count the processes of all programs."""
        return sum(len(runtime.processes) for runtime in self.runtimes)


def _has_fallen(before: int, after: int) -> bool:
    """Say whether many of so many processes have ended."""
    return before - after > max(MANY, before // FALLING)


_changing: Final = threading.Lock()
_freezers: Final[list[Freezer]] = []
"""Holds the one `Freezer` while programs run; else empty."""


@contextmanager
def tuned(runtime: Runtime, collector: Collector = "processes") -> Iterator[None]:
    """Tune the collector during the block; objects that exist already, such as modules, are frozen at once."""
    if collector == "python":
        yield
        return
    with _changing:
        if not _freezers:
            _freezers.append(Freezer())
            gc.set_threshold(*THRESHOLDS)
            gc.callbacks.append(_freezers[0])
        freezer = _freezers[0]
        freezer.runtimes.append(runtime)
    gc.collect()
    try:
        yield
    finally:
        with _changing:
            freezer.runtimes.remove(runtime)
            freezer.asked = False  # the request may have gone to this runtime
            if not freezer.runtimes:
                _freezers.clear()
                gc.callbacks.remove(freezer)
                gc.set_threshold(*freezer.thresholds)
                gc.unfreeze()


@contextmanager
def unlooked() -> Iterator[None]:
    """Run no collection while the block makes many objects without cycles, such as those of a large message.

    The young objects are frozen after the block. Does nothing if the collector is off or not tuned by this module.
    """
    if not _freezers or not gc.isenabled():
        yield
        return
    _freezers[0].add(gc.get_count()[0])
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def sweep() -> int:
    """Run a full collection now, and return the number of unreachable objects found.

    The whole program waits meanwhile. It is the same as `gc.collect()`.
    """
    return gc.collect()
