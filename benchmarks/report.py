"""What the suite found out, for people and for programs."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import attrs

from benchmarks.load.figures import Figures
from benchmarks.os_process import Cores
from benchmarks.spread import Spread, digits, spread, table
from benchmarks.suite import Case, Result

HEADER: Final = ("", "CPU µs", "ratio", "target", "", "goal", "", "per second", "p99 ms", "bound by")
NOISE: Final = 0.05
"""Share of the time in which a server waits for its core, from which on others were busy there."""


def write(floors: Sequence[Figures], results: Sequence[Result], cores: Cores) -> str:
    """Write the table, with what has to be known to read it."""
    rows: list[Sequence[str]] = [HEADER, ("floor: raw echo", _cost(floors), "", "", "", "", "", *_side(floors))]
    rows += [_row(result) for result in results if result.fault is None]
    lines = [
        table(rows),
        "",
        "Medians (and the middle half) of the server's CPU time, per echo, delivery or client that joined.",
    ]
    if not cores.apart:
        lines.append("There is one core for the server and the load: only the ratios say something.")
    everything = [*floors, *(run.figures for result in results for run in result.runs)]
    waited = spread(figures.server_waited for figures in everything)
    if waited.median > NOISE:
        lines.append(f"Noise: others had the server's core for {waited.median:.0%} of the time.")
    lines += [f"No figure for {each.case.name}: {each.fault.splitlines()[0]}" for each in results if each.fault]
    return "\n".join(lines)


def _row(result: Result) -> tuple[str, ...]:
    case, figures = result.case, [run.figures for run in result.runs]
    found = _found(result)
    if case.weighed:
        return (case.name, f"{found} KB", "", *_verdicts(case, found, " KB"), "", "", "")
    return (case.name, _cost(figures), str(found), *_verdicts(case, found, ""), *_side(figures))


def _found(result: Result) -> Spread:
    """Give what the case is about: KB, or floors."""
    if result.case.weighed:
        return spread(run.figures.kb or 0 for run in result.runs)
    return spread(run.ratio for run in result.runs)


def _cost(figures: Sequence[Figures]) -> str:
    return str(spread(each.cpu_us for each in figures))


def _side(figures: Sequence[Figures]) -> tuple[str, str, str]:
    latencies = [each.p99_ms for each in figures if each.p99_ms is not None]
    sides = sorted({each.bound for each in figures})
    return (
        f"{spread(each.per_second for each in figures).median:,.0f}",
        digits(spread(latencies).median) if latencies else "",
        "/".join(sides),
    )


def _verdicts(case: Case, found: Spread, unit: str) -> tuple[str, str, str, str]:
    target = ("", "") if case.target is None else (f"{case.target:g}{unit}", verdict(found, case.target))
    return (*target, f"{case.goal:g}{unit}", verdict(found, case.goal))


def verdict(found: Spread, limit: float) -> str:
    """Say whether the median holds."""
    return "ok" if found.median <= limit else "over"


def as_data(floors: Sequence[Figures], results: Sequence[Result]) -> dict[str, object]:
    """Give everything that was found out, and where, as data for JSON."""
    return {
        "machine": machine(),
        "floor": {
            "cpu_us": attrs.asdict(spread(each.cpu_us for each in floors)),
            "runs": list(map(attrs.asdict, floors)),
        },
        "cases": [_case_as_data(result) for result in results],
    }


def _case_as_data(result: Result) -> dict[str, object]:
    case = result.case
    data: dict[str, object] = {
        "name": case.name,
        "load": {"name": case.load.name, **attrs.asdict(case.load)},
        "unit": "KB" if case.weighed else "floors",
        "target": case.target,
        "goal": case.goal,
        "fault": result.fault,
    }
    if result.fault is None:
        data["found"] = attrs.asdict(_found(result))
        data["cpu_us"] = attrs.asdict(spread(run.figures.cpu_us for run in result.runs))
        data["runs"] = [
            {**attrs.asdict(run.figures), "bound": run.figures.bound, "floor_us": run.floor_us} for run in result.runs
        ]
    return data


def machine() -> dict[str, object]:
    """Say where this is."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "versions": {name: version(name) for name in ("trio", "picows", "uvloop")},
    }
