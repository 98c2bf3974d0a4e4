"""Churn for some minutes: python -m tests.soak [MINUTES]. The last line says by how much the server grew a minute.

The first third is the warm-up, in which three times as many clients come as later: what a crowd needs once is no
growth. The status is 1 when the server has grown by more than `FLAT`.
"""

from __future__ import annotations

import math
import sys
import time
from typing import Final

import trio

from tests.soak.churn import Churn, churning
from tests.soak.slope import Sample, slope

MINUTES: Final = 10.0
WARM_UP: Final = 1 / 3
"""Of these."""
FLAT: Final = 0.1
"""Megabytes a minute that are within what memory does by chance."""
EVERY: Final = 5.0
"""Seconds between two samples."""
TOLD: Final = 6
"""Samples between two lines of progress."""


async def soak(minutes: float) -> float:
    """Return the slope."""
    samples: list[Sample] = []
    async with churning() as churn, trio.open_nursery() as nursery:
        nursery.start_soon(churn.lead, math.inf)
        nursery.start_soon(_warm_up, churn, minutes * 60 * WARM_UP)
        start = time.monotonic()
        while (passed := (time.monotonic() - start) / 60) < minutes:
            await trio.sleep(min(EVERY, minutes * 60 / 20))
            samples.append((passed, churn.resident()))
            if len(samples) % TOLD == 0:
                await _tell(churn, samples)
        nursery.cancel_scope.cancel()
    later = [sample for sample in samples if sample[0] > minutes * WARM_UP]
    grown = slope(later)
    sizes = [size for _, size in later]
    _say(
        f"soak: {grown:+.2f} MB/min over the last {minutes * (1 - WARM_UP):.1f} minutes"
        f" ({min(sizes):.1f} to {max(sizes):.1f} MB, {churn.led:,} lives)"
    )
    return grown


async def _warm_up(churn: Churn, seconds: float) -> None:
    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(churn.lead, math.inf)


async def _tell(churn: Churn, samples: list[Sample]) -> None:
    now = await churn.figures()
    minute, size = samples[-1]
    _say(
        f"{minute:5.1f} min {size:7.1f} MB  {churn.led:7,} lives {now['processes']:5} processes"
        f" {now['blocks']:9,} blocks {now['frozen']:9,} frozen"
    )


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(trio.run(soak, float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES) > FLAT)
