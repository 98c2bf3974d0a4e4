"""What the suite found out, for people and for programs."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import groupby
from typing import Final, Literal

import attrs

from benchmarks.load.figures import Figures
from benchmarks.os_process import Cores
from benchmarks.servers.catalogue import PHXACTOR, SOCKETIO
from benchmarks.spread import Spread, digits, spread, table
from benchmarks.suite import ECHO, Result

HEADER: Final = ("", "CPU µs", "ratio", "target", "", "per second", "p50 ms", "p99 ms", "bound by")
NOISE: Final = 0.08
"""Share of the time in which a server waits for its core, from which on others were busy there. Of a real-time process
the kernel takes a twentieth itself."""


def write(floors: Sequence[Figures], results: Sequence[Result], cores: Cores) -> str:
    """Write the table, with what has to be known to read it."""
    rows: list[Sequence[str]] = [HEADER, ("floor: raw echo", _cost(floors), "1", "", "", *_side(floors))]
    for name, group in groupby(results, lambda result: result.case.name):
        rows += [("",) * len(HEADER), (name, *("",) * (len(HEADER) - 1))]
        rows += [_row(result) for result in group if result.fault is None]
    return "\n".join([table(rows), "", *_remarks(floors, results, cores)])


def _remarks(floors: Sequence[Figures], results: Sequence[Result], cores: Cores) -> Iterator[str]:
    yield "Medians (and the middle half) of the server's CPU time, per echo, delivery or client that joined."
    if not cores.apart:
        yield "There is one core for the server and the load: only the ratios say something."
    elif cores.realtime:
        yield "Server and load ran with real-time priority: others had to wait."
    everything = [*floors, *(run.figures for result in results for run in result.runs)]
    waited = spread(figures.server_waited for figures in everything)
    if waited.median > NOISE:
        yield f"Noise: others had the server's core for {waited.median:.0%} of the time."
    if (latencies := compared(results)) is not None:
        ours, theirs = latencies
        yield (
            f"p99 of an echo, 50 clients: phxactor {digits(ours)} ms, python-socketio {digits(theirs)} ms, "
            f"each at its own load: {_within(ours, theirs)}."
        )
    for each in results:
        if each.fault is not None:
            yield f"No figure for {each.server}, {each.case.name}: {each.fault.splitlines()[0]}"


def compared(results: Sequence[Result]) -> tuple[float, float] | None:
    """Return the p99 latency of an echo, ours and python-socketio's, in ms, where both were measured."""
    echoes = {result.server: result for result in results if result.case is ECHO and result.fault is None}
    if not {PHXACTOR.name, SOCKETIO.name} <= echoes.keys():
        return None
    ours, theirs = (latency(echoes[kind.name], "p99_ms") for kind in (PHXACTOR, SOCKETIO))
    return None if ours is None or theirs is None else (ours, theirs)


def latency(result: Result, which: Literal["p50_ms", "p99_ms"]) -> float | None:
    """Give the median of all runs."""
    found = [latency for run in result.runs if (latency := getattr(run.figures, which)) is not None]
    return spread(found).median if found else None


def _row(result: Result) -> tuple[str, ...]:
    case, figures, found = result.case, [run.figures for run in result.runs], result_of(result)
    unit = " KB" if case.weighed else ""
    verdicts = (f"{case.target:g}{unit}", verdict(found, case.target)) if result.server == PHXACTOR.name else ("", "")
    name = f"  {result.server}"
    if case.weighed:
        return (name, f"{found} KB", "", *verdicts, "", "", "", "")
    return (name, _cost(figures), str(found), *verdicts, *_side(figures))


def result_of(result: Result) -> Spread:
    """Give what the case is about: KB, or floors."""
    if result.case.weighed:
        return spread(run.figures.kb or 0 for run in result.runs)
    return spread(run.ratio for run in result.runs)


def _cost(figures: Sequence[Figures]) -> str:
    return str(spread(each.cpu_us for each in figures))


def _side(figures: Sequence[Figures]) -> tuple[str, str, str, str]:
    return (
        f"{spread(each.per_second for each in figures).median:,.0f}",
        _median(each.p50_ms for each in figures),
        _median(each.p99_ms for each in figures),
        "/".join(sorted({each.bound for each in figures})),
    )


def _median(latencies: Iterator[float | None]) -> str:
    found = [latency for latency in latencies if latency is not None]
    return digits(spread(found).median) if found else ""


def verdict(found: Spread, limit: float) -> str:
    """Say whether the median holds."""
    return _within(found.median, limit)


def _within(figure: float, limit: float) -> str:
    return "ok" if figure <= limit else "over"


def as_data(floors: Sequence[Figures], results: Sequence[Result]) -> dict[str, object]:
    """Give everything that was found out, and where, as data for JSON."""
    return {
        "machine": machine(),
        "floor": {
            "cpu_us": attrs.asdict(spread(each.cpu_us for each in floors)),
            "runs": list(map(attrs.asdict, floors)),
        },
        "results": [_result_as_data(result) for result in results],
    }


def _result_as_data(result: Result) -> dict[str, object]:
    case = result.case
    data: dict[str, object] = {
        "server": result.server,
        "case": case.name,
        "load": {"name": case.load.name, **attrs.asdict(case.load)},
        "unit": "KB" if case.weighed else "floors",
        "target": case.target if result.server == PHXACTOR.name else None,
        "fault": result.fault,
    }
    if result.fault is None:
        data["found"] = attrs.asdict(result_of(result))
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
