"""Patterns: what they match, and how they say what differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

import attrs
import pytest

from phxactor.testing import exactly
from phxactor.testing._patterns import Fit, describe, fit


@attrs.frozen
class Point:
    """Nested in others."""

    x: int
    y: int = 0


@dataclass
class Line:
    """From here to there."""

    start: Point
    end: Point


class Settings(TypedDict):
    """A map with a type."""

    volume: float


UNSUPPORTED = TypeError("unsupported operand type(s) for &: 'str' and 'int'")


def is_even(number: Any) -> bool:  # noqa: ANN401
    return bool(number & 1 == 0)


@pytest.mark.parametrize(
    ("pattern", "payload"),
    [
        (..., None),
        (..., {"a": 1}),
        ({}, {"a": 1}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": {"b": ...}}, {"a": {"b": 2, "c": 3}}),
        ({"a": is_even}, {"a": 2}),
        ({"a": Point}, {"a": {"x": 1}}),
        ({"a": str, "b": int | None}, {"a": "", "b": None}),
        ([1, ...], [1, 2]),
        ((1, 2), [1, 2]),
        ([{"a": 1}], [{"a": 1, "b": 2}]),
        ([], []),
        (1, 1),
        (1.0, 1),
        (True, True),
        (None, None),
        ("a", "a"),
        (b"a", b"a"),
        (exactly({"a": 1}), {"a": 1}),
        (exactly([{"a": 1}]), [{"a": 1}]),
        ({"a": exactly({})}, {"a": {}}),
        (dict, {}),
        (object, 5),
        (list, [1]),
        (bytes, b""),
        (dict[str, int], {"a": 1}),
    ],
)
def test_what_fits(pattern: Any, payload: Any) -> None:  # noqa: ANN401
    fitting = fit(pattern, payload)
    assert fitting == Fit(payload)


@pytest.mark.parametrize(
    ("pattern", "payload", "value"),
    [
        (Point, {"x": 1, "more": 2}, Point(1)),
        (Line, {"start": {"x": 1}, "end": {"x": 2, "y": 3}}, Line(Point(1), Point(2, 3))),
        (list[Point], [{"x": 1}], [Point(1)]),
        (Point | None, None, None),
        (Settings, {"volume": 1}, {"volume": 1.0}),
    ],
)
def test_a_type_makes_the_payload_one(pattern: Any, payload: Any, value: object) -> None:  # noqa: ANN401
    assert fit(pattern, payload) == Fit(value)


@pytest.mark.parametrize(
    ("pattern", "payload", "said"),
    [
        ({"a": 1}, {"b": 1}, ["there is no 'a' @ payload"]),
        ({"a": 1}, [1], ["expected a map, not [1] @ payload"]),
        (
            {"a": {"b": 1}, "c": 2},
            {"a": {"b": 2}, "c": 3},
            ["expected 1, not 2 @ payload['a']['b']", "expected 2, not 3 @ payload['c']"],
        ),
        ([1], {}, ["expected a list, not {} @ payload"]),
        ([1], [1, 2], ["expected 1 elements, not 2 @ payload"]),
        ([1, {"a": 5}], [1, {"a": 6}], ["expected 5, not 6 @ payload[1]['a']"]),
        (1, True, ["expected 1, not True @ payload"]),
        (True, 1, ["expected True, not 1 @ payload"]),
        (exactly({"a": 1}), {"a": 1, "b": 2}, ["expected {'a': 1}, not {'a': 1, 'b': 2} @ payload"]),
        ({"a": is_even}, {"a": 1}, ["is_even (line 40) says no to 1 @ payload['a']"]),
        (
            is_even,
            "x",
            [f"is_even (line 40) raised {UNSUPPORTED!r} for 'x' @ payload"],
        ),
        (Point, {"y": 1}, ["required field missing @ payload.x"]),
        ({"a": [Point]}, {"a": [{"x": "1"}]}, ["expected a whole number, not a string @ payload['a'][0].x"]),
        (dict, [1], ["expected a map, not [1] @ payload"]),
        (str, 5, ["expected a string, not a number @ payload"]),
    ],
)
def test_what_does_not_fit_says_where(pattern: Any, payload: Any, said: list[str]) -> None:  # noqa: ANN401
    assert fit(pattern, payload) == said


def test_how_patterns_are_shown() -> None:
    assert describe(...) == "..."
    assert describe(Point) == "Point"
    assert describe(list[int]) == "list[int]"
    assert describe({"a": 1}) == "{'a': 1}"
    assert describe(exactly([1])) == "exactly([1])"
    assert describe(is_even) == "is_even (line 40)"
    assert len(describe("x" * 1000)) == 200


def test_predicates_and_types_within_a_pattern_are_named() -> None:
    def is_short(text: object) -> bool:
        return len(str(text)) < 3

    shown = describe({"body": is_short, "user": str, "list": [..., 1]})
    line = is_short.__code__.co_firstlineno
    assert shown == f"{{'body': {is_short.__qualname__} (line {line}), 'list': [..., 1], 'user': str}}"
