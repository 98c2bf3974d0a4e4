"""The picture is SVG that a browser takes, with a bar for each figure."""

from __future__ import annotations

from xml.etree import ElementTree as ET

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
    assert theirs < 10 * ours
    svg = drawn(*results)
    assert "100" in [text.text for text in svg.iter(f"{SVG}text")]
    assert "gap" in [path.attrib["class"] for path in svg.iter(f"{SVG}path")]


def test_each_load_has_a_panel_and_a_spoiled_result_no_bar() -> None:
    results = [result("phxactor", case, figures(10, kb=9)) for case in CASES]
    svg = drawn(*results, Result("node-ws", CASES[-1], fault="a wrong answer"))
    assert len(list(svg.iter(f"{SVG}g"))) == len(list(svg.iter(f"{SVG}rect"))) == len(CASES)
