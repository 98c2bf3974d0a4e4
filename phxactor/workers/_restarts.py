"""When a worker that has ended is started again, and when the parent gives up. Pure code without processes."""

from __future__ import annotations

from typing import Final, final

from phxactor.otp import Intensity

LEAST: Final = 30
EACH: Final = 10
SECONDS: Final = 60
"""More ends than `EACH` for each worker, and than `LEAST`, within so many seconds are too many."""
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
"""Seconds before a worker that did not become ready is started again: each time twice as long."""
FAILED_STARTS: Final = 5
"""Starts of a worker that may fail in a row while no other worker serves."""


@final
class Restarts:
    """Counts the ends of all workers of one parent."""

    def __init__(self, workers: int) -> None:
        self._intensity = Intensity(max(LEAST, EACH * workers), SECONDS)
        self._failed: dict[int, int] = {}
        """Starts that have failed in a row, by the number of the worker."""

    def ended(self, number: int, now: float, *, was_ready: bool, others: int) -> float | str:
        """Return the seconds until a worker is started again, or the text that says why the parent gives up.

        `others` is how many other workers serve. The end of a worker that was ready is no failed start.
        """
        if not self._intensity.restart(now):
            return f"workers ended {self._intensity.max_restarts + 1} times within {SECONDS} s"
        if was_ready:
            self._failed.pop(number, None)
            return 0.0
        failed = self._failed[number] = self._failed.get(number, 0) + 1
        if failed >= FAILED_STARTS and not others:
            return f"worker {number} did not start {failed} times in a row, and no other worker serves"
        return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failed - 1)))
