"""CPython's garbage collector, set for programs of many small processes that live long.

Its defaults look for cycles after every 700 new objects and, as a program grows, again and again at all that there is:
it was 70 % of the time in which 100,000 linked processes die, and with 10,000 clients it stops everything for 0.7 s at
a time. So while a program runs

- the young are looked at less often, and not at all while the processes become so many more that these explain them: of
  a thousand clients that connect everything is alive, and to find that out is a tenth of what they cost;
- what survives that look, or has none, is *frozen*: taken off the list of what is looked at. Nearly all of it is freed
  without the collector, when nobody refers to it any more. So each object is looked at once at most, and a pause is
  some 20 ms at most, however much there is (10,000 clients);
- a cycle that is dropped after that waits for a full look at everything, a `sweep`. That is made by itself
  when more is frozen than the number of processes explains, or twice what the last one left; and when a program asks,
  as one should that keeps much in cycles: what counts are objects, not their bytes.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from phxactor.runtime.runtime import Runtime

THRESHOLDS: Final = (8_000, 1_000_000, 1_000_000)
"""New objects before they are looked at; the older generations are always empty."""
SLACK: Final = 250_000
"""Frozen objects that are never too many."""
OF_PROCESS: Final = 400
"""Frozen objects that a process explains: four times what a channel and its connection have."""
YOUNG: Final = 100
"""New objects that each process explains by which there are more than at the last look: twice what a channel has."""
EVERY: Final = 16
"""Freezings between two counts of what is frozen, at least: counting takes some milliseconds for a million."""


class Freezer:
    """What the garbage collector calls before it looks, and after. There is one for all programs that run."""

    def __init__(self) -> None:
        """Start without any."""
        self.runtimes: list[Runtime] = []
        """Those of the programs; they may be in several threads, and end in any order."""
        self.thresholds = gc.get_threshold()
        """What was set before the first of them."""
        self._freezings = 0
        """Since the last count."""
        self._added = 0
        """Objects that were new when the collector looked, since then: no more can have been frozen."""
        self._counted = 0
        """Frozen objects at that count."""
        self._spare = SLACK
        """Frozen objects that may be there, beside those of the processes."""
        self._processes = 0
        """How many there were at the last look."""

    def __call__(self, phase: str, info: Mapping[str, int]) -> None:
        """Freeze what processes explain before the look, and what has survived it.

        When too much is frozen, have it swept soon: not here, within a collection.
        """
        if phase == "start":
            young = gc.get_count()[0]  # from Python 3.12 on, one call into C may have made any number of them
            self._added += young
            # Not those that have started since, for as many may have ended, and left garbage.
            before, self._processes = self._processes, self._running()
            if info["generation"] == 0 and young <= YOUNG * (self._processes - before):
                gc.freeze()  # which leaves nothing to look at
        else:
            gc.freeze()
            self._freezings += 1
            if self._freezings >= EVERY and self._too_many() and self.runtimes:
                self.runtimes[0].run_soon(self._sweep)

    def count(self) -> int:
        """Count what is frozen."""
        self._counted, self._freezings, self._added = gc.get_freeze_count(), 0, 0
        return self._counted

    def _too_many(self) -> bool:
        """Tell whether more is frozen than may be, and count only if it could."""
        limit = self._spare + OF_PROCESS * self._running()
        if self._counted + self._added <= limit:
            return False
        return self.count() > limit

    def _sweep(self) -> None:
        sweep()
        self._spare = max(SLACK, 2 * self.count() - OF_PROCESS * self._running())

    def _running(self) -> int:
        """Count the processes of all programs."""
        return sum(len(runtime.processes) for runtime in self.runtimes)


_changing: Final = threading.Lock()
_freezers: Final[list[Freezer]] = []
"""The one that there is while programs run."""


@contextmanager
def tuned(runtime: Runtime) -> Iterator[None]:
    """Set it so while a program runs; what was there before, its modules, is frozen at once."""
    with _changing:
        if not _freezers:
            _freezers.append(Freezer())
            gc.set_threshold(*THRESHOLDS)
            gc.callbacks.append(_freezers[0])
        freezer = _freezers[0]
        freezer.runtimes.append(runtime)
    sweep()
    freezer.count()
    try:
        yield
    finally:
        with _changing:
            freezer.runtimes.remove(runtime)
            if not freezer.runtimes:
                _freezers.clear()
                gc.callbacks.remove(freezer)
                gc.set_threshold(*freezer.thresholds)
                gc.unfreeze()


def sweep() -> int:
    """Have everything looked at now, and return how many objects were found that nobody can reach.

    Everything waits meanwhile: some 0.5 s for a million objects.
    """
    if not _freezers:
        return gc.collect()
    gc.unfreeze()
    found = gc.collect()
    gc.freeze()
    return found
