"""For the docs: the picture is SVG that a browser takes, with a bar for each figure, and the table is Markdown."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from benchmarks.markdown import tabulate
from benchmarks.picture import draw
from benchmarks.suite import CASES, ECHO, Result
from tests.benchmarks.found import figures, result

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*results: Result) -> ET.Element:
    return ET.fromstring(draw(results))  # noqa: S314 - our own


def bars(*results: Result) -> list[float]:
    return [float(rect.attrib["width"]) for rect in drawn(*results).iter(f"{SVG}rect")]


def test_bars_are_as_long_as_the_figures() -> None:
    ours, theirs = bars(result("phxactor", ECHO, figures(10)), result("node-ws", ECHO, figures(20)))
    assert theirs == 2 * ours


def test_a_bar_that_would_hide_the_others_is_cut_and_keeps_its_figure() -> None:
    results = [result("phxactor", ECHO, figures(10)), result("django-channels", ECHO, figures(1000))]
    ours, theirs = bars(*results)
    assert theirs < 11 * ours
    svg = drawn(*results)
    assert "100" in [text.text for text in svg.iter(f"{SVG}text")]
    assert "gap" in [path.attrib["class"] for path in svg.iter(f"{SVG}path")]


def test_each_load_has_a_panel_and_a_spoiled_result_no_bar() -> None:
    results = [result("phxactor", case, figures(10, kb=9)) for case in CASES]
    svg = drawn(*results, Result("node-ws", CASES[-1], fault="a wrong answer"))
    assert len(list(svg.iter(f"{SVG}g"))) == len(list(svg.iter(f"{SVG}rect"))) == len(CASES)


def test_the_table_has_a_row_for_each_server_and_a_column_for_each_load() -> None:
    results = [
        result("phxactor", ECHO, figures(15, p99_ms=2)),
        Result("node-ws", ECHO, fault="a wrong answer"),
        result("phxactor", CASES[-1], figures(200, kb=9)),
        result("node-ws", CASES[-1], figures(200, kb=10)),
    ]
    assert tabulate(results) == (
        "|  | echo, 50 clients | idle client | p99 of an echo, ms |\n"
        "| --- | --- | --- | --- |\n"
        "| phxactor | 1.50 | 9.00 KB | 2.00 |\n"
        "| node-ws |  | 10.0 KB |  |\n"
    )
