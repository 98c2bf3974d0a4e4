"""What the suite found out as the table of docs/benchmarks.md: a row for each server, a column for each load."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.report import latency, result_of
from benchmarks.spread import digits
from benchmarks.suite import ECHO, Result


def tabulate(results: Sequence[Result]) -> str:
    """Write floors, and KB where it is about memory; what has no figure stays empty."""
    cases = list(dict.fromkeys(result.case for result in results))
    servers = list(dict.fromkeys(result.server for result in results))
    found = {(result.server, result.case.name): result for result in results if result.fault is None}
    rows = [["", *(case.name for case in cases), "p99 of an echo, ms"], ["---"] * (len(cases) + 2)]
    for server in servers:
        echo = found.get((server, ECHO.name))
        slow = latency(echo, "p99_ms") if echo else None
        cells = [_cell(found.get((server, case.name))) for case in cases]
        rows.append([server, *cells, "" if slow is None else digits(slow)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cell(result: Result | None) -> str:
    if result is None:
        return ""
    return digits(result_of(result).median) + (" KB" if result.case.weighed else "")
