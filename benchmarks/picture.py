"""What the suite found out as bars, in SVG: a panel for each load, a bar for each server, ours in another colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final
from xml.sax.saxutils import escape

from benchmarks.report import result_of
from benchmarks.servers.catalogue import PHXACTOR
from benchmarks.spread import digits
from benchmarks.suite import Result

COLUMNS: Final = 2
PANEL: Final = 440
"""Width of a panel, in pixels, as all sizes here."""
NAMES: Final = 135
"""What the names take of it."""
BARS: Final = 210
"""What the longest bar takes of it; the rest is for its figure."""
ROW: Final = 20
HEAD: Final = 34
LONGEST: Final = 10.0
"""A bar ends at so many times the shortest one, with a gap that says so."""

STYLE: Final = """
    text { font: 12px system-ui, sans-serif; fill: #57606a; paint-order: stroke; stroke: #fff; stroke-width: 4px }
    .title { font-weight: 600; font-size: 13px } .bar { fill: #afb8c1 } .ours { fill: #d9480f }
    .gap { stroke: #fff; stroke-width: 4 } .floor { stroke: #57606a; stroke-dasharray: 2 3 }
    @media (prefers-color-scheme: dark) { text { fill: #adbac7; stroke: #0d1117 } .bar { fill: #545d68 }
    .ours { fill: #f76707 } .gap { stroke: #0d1117 } .floor { stroke: #adbac7 } }
"""


def draw(results: Sequence[Result]) -> str:
    """Draw all results that have figures; the dotted line is the floor."""
    found = [result for result in results if result.fault is None]
    panels = [list(group) for _, group in groupby(found, lambda result: result.case.name)]
    rows = max(map(len, panels), default=0)
    height = HEAD + rows * ROW + 16
    total = -(-len(panels) // COLUMNS) * height
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * PANEL} {total}">']
    lines.append(f"<style>{STYLE}</style>")
    for index, panel in enumerate(panels):
        lines.append(f'<g transform="translate({index % COLUMNS * PANEL} {index // COLUMNS * height})">')
        lines += [*_panel(panel), "</g>"]
    return "\n".join([*lines, "</svg>\n"])


def _panel(results: Sequence[Result]) -> Iterator[str]:
    case = results[0].case
    figures = [result_of(result).median for result in results]
    longest = min(max(figures), LONGEST * min(figures))
    unit = "KB" if case.weighed else "floors"
    yield f'<text class="title" x="8" y="20">{escape(case.name)}: {unit}</text>'
    if not case.weighed and longest >= 1:
        one = NAMES + BARS / longest
        yield f'<path class="floor" d="M{one:.1f} {HEAD - 5}V{HEAD + len(results) * ROW}"/>'
    for index, (result, figure) in enumerate(zip(results, figures, strict=True)):
        top, width = HEAD + index * ROW, BARS * min(figure, longest) / longest
        kind = "bar ours" if result.server == PHXACTOR.name else "bar"
        yield f'<text x="{NAMES - 8}" y="{top + 12}" text-anchor="end">{escape(result.server)}</text>'
        yield f'<rect class="{kind}" x="{NAMES}" y="{top}" width="{width:.1f}" height="{ROW - 5}" rx="2"/>'
        if figure > longest:
            gap = NAMES + BARS - 16
            yield f'<path class="gap" d="M{gap - 3} {top + 16}L{gap + 3} {top - 1}"/>'
        yield f'<text x="{NAMES + width + 6:.1f}" y="{top + 12}">{digits(figure)}</text>'
