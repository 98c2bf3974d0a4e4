"""CPython's garbage collector, set for programs of many small processes that live long: `collector="processes"`.

Its defaults look for cycles after every 700 new objects and, as a program grows, again and again at all that there is:
it was 70 % of the time in which 100,000 linked processes die, and with 10,000 clients it stops everything for 0.7 s at
a time. So while a program runs

- the young are looked at once, and not at all while the processes become so many more that these explain them: of a
  thousand clients that connect everything is alive, and to find that out is a tenth of what they cost;
- what survives that look, or has none, is *frozen*: taken off the list of what is looked at. Nearly all of it is freed
  without the collector, when nothing refers to it any more. So each object is looked at once at most, and a pause is
  some 20 ms at most, however much there is (10,000 clients);
- a cycle that is dropped after that waits for a full look at everything. The program asks for one by `gc.collect()`,
  which first takes everything back, or by `sweep`. It is made without being asked when more objects are frozen, or more
  bytes are in memory, than the number of processes explains, and more than twice what the last one left.

With `collector="python"` nothing is set, and nothing frozen.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from phxactor.runtime.memory import give_back, resident

if TYPE_CHECKING:
    from phxactor.runtime.runtime import Runtime

Collector: TypeAlias = Literal["processes", "python"]
"""Who sets the collector: `run`, as this file says, or nobody."""
COLLECTORS: Final = ("processes", "python")

THRESHOLDS: Final = (700, 1_000_000, 1_000_000)
"""New objects before they are looked at; the older generations are always empty."""
SLACK: Final = 250_000
"""Frozen objects that are never too many."""
OF_PROCESS: Final = 400
"""Frozen objects that a process explains: four times what a channel and its connection have."""
SLACK_BYTES: Final = 64 * 1024 * 1024
"""Bytes of memory that are never too many."""
BYTES_OF_PROCESS: Final = 32 * 1024
"""Bytes of memory that a process explains."""
YOUNG: Final = 100
"""New objects that each process explains by which there are more than at the last look: twice what a channel has."""
EVERY: Final = 64
"""Freezings between two counts of what is frozen, at least: counting takes some milliseconds for a million."""


class Freezer:
    """What the garbage collector calls before it looks, and after. There is one for all programs that run."""

    def __init__(self) -> None:
        """Start without any."""
        self.runtimes: list[Runtime] = []
        """Those of the programs; they may be in several threads, and end in any order."""
        self.thresholds = gc.get_threshold()
        """What was set before the first of them."""
        self.asked = False
        """Whether one of them is to have everything looked at soon."""
        self._freezings = 0
        """Since the last count."""
        self._added = 0
        """Objects that were new when the collector looked, since then: no more can have been frozen."""
        self._counted = 0
        """Frozen objects at that count."""
        self._spare = SLACK
        """Frozen objects that may be there, beside those of the processes."""
        self._spare_bytes = max(SLACK_BYTES, 2 * resident())
        """Bytes of memory that there may be, beside those of the processes."""
        self._processes = 0
        """How many there were at the last look."""

    def __call__(self, phase: str, info: Mapping[str, int]) -> None:
        """Freeze what processes explain before the look, and what has survived it.

        When too much is frozen, have everything looked at soon: not here, within a collection.
        """
        full = info["generation"] == 2  # noqa: PLR2004 - of three
        if phase == "start":
            young = gc.get_count()[0]  # from Python 3.12 on, one call into C may have made any number of them
            self._added += young
            # Not those that have started since, for as many may have ended, and left garbage.
            before, self._processes = self._processes, self._running()
            if full:
                gc.unfreeze()  # somebody has asked for a look at everything
            elif info["generation"] == 0 and young <= YOUNG * (self._processes - before):
                gc.freeze()  # which leaves nothing to look at
            return
        gc.freeze()
        if full:
            self._swept()
            return
        self._freezings += 1
        if not self.asked and self.runtimes and self._too_much():
            self.asked = True
            self.runtimes[0].run_soon(sweep)

    def add(self, objects: int) -> None:
        """Count objects that are frozen without a look."""
        self._added += objects

    def _too_much(self) -> bool:
        """Tell whether there is more than may be; objects are counted only if there could be too many."""
        processes = self._running()
        if resident() > self._spare_bytes + BYTES_OF_PROCESS * processes:
            return True
        limit = self._spare + OF_PROCESS * processes
        return self._freezings >= EVERY and self._counted + self._added > limit and self._count() > limit

    def _swept(self) -> None:
        """Count what a look at everything has left; if that was asked for here, it may double from now on."""
        left, processes = self._count(), self._running()
        if self.asked:
            give_back()
            self._spare = max(SLACK, 2 * left - OF_PROCESS * processes)
            self._spare_bytes = max(SLACK_BYTES, 2 * resident() - BYTES_OF_PROCESS * processes)
        self.asked = False

    def _count(self) -> int:
        """Count what is frozen."""
        self._counted, self._freezings, self._added = gc.get_freeze_count(), 0, 0
        return self._counted

    def _running(self) -> int:
        """Count the processes of all programs."""
        return sum(len(runtime.processes) for runtime in self.runtimes)


_changing: Final = threading.Lock()
_freezers: Final[list[Freezer]] = []
"""The one that there is while programs run."""


@contextmanager
def tuned(runtime: Runtime, collector: Collector = "processes") -> Iterator[None]:
    """Set it so while a program runs; what was there before, its modules, is frozen at once."""
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
            freezer.asked = False  # it may have been asked
            if not freezer.runtimes:
                _freezers.clear()
                gc.callbacks.remove(freezer)
                gc.set_threshold(*freezer.thresholds)
                gc.unfreeze()


@contextmanager
def unlooked() -> Iterator[None]:
    """Have the collector look at nothing while much is made that has no cycles, such as a large message.

    It would look 40 times while 300,000 arrays are decoded, which makes that take four times as long. All that is young
    is frozen instead. Where the collector is not ours, or off, nothing is changed.
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
    """Have everything looked at now, and return how many objects were found that nothing can reach.

    Everything waits meanwhile: some 0.5 s for a million objects. It is the same as `gc.collect()`.
    """
    return gc.collect()
