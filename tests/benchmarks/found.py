"""Figures as the suite finds them, made up."""

from __future__ import annotations

from benchmarks.load.figures import Figures
from benchmarks.suite import Case, Result, Run

FLOOR_US = 10.0


def figures(
    cpu_us: float, *, p99_ms: float = 1.0, busy: float = 1.0, waited: float = 0.0, kb: float | None = None
) -> Figures:
    """Say what one run found."""
    return Figures(
        count=2000,
        seconds=2.0,
        cpu_us=cpu_us,
        server_busy=busy,
        server_waited=waited,
        load_busy=0.5,
        p50_ms=p99_ms / 2,
        p99_ms=p99_ms,
        kb=kb,
    )


def result(server: str, case: Case, *runs: Figures) -> Result:
    """Say what all runs of a case found."""
    return Result(server, case, [Run(each, FLOOR_US) for each in runs])
