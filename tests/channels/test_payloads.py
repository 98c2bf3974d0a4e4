"""Typed payloads: what `@on` structures, and what a client hears whose payload does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypedDict

import attrs
import pytest

from phxactor import Channel, Ok, on, open_runtime
from phxactor.channels import Payload, PayloadError, register_payload_hook
from tests.channels.joining import joined


@attrs.frozen
class Point:
    """Nested in others."""

    x: int
    y: int = 0


@attrs.define
class Shape:
    """Made by attrs."""

    name: str
    points: list[Point] = attrs.field(factory=list)
    kind: Literal["open", "closed"] = "open"


@dataclass
class Person:
    """A dataclass."""

    name: str
    age: int | None = None
    tags: dict[str, list[int]] = field(default_factory=dict)


class Volume(TypedDict):
    """The part of a TypedDict that is required."""

    volume: float


class Settings(Volume, total=False):
    """The part that is not; Python 3.11 does not see `NotRequired` in a module with postponed annotations."""

    muted: bool


@attrs.frozen
class Positive:
    """Checks its values by itself."""

    number: int = attrs.field(validator=attrs.validators.gt(0))


class Typed(Channel):
    """Replies with what it got, as Python writes it."""

    @on("shape")
    async def shape(self, payload: Shape) -> Ok[str]:
        return Ok(repr(payload))

    @on("person")
    async def person(self, payload: Person) -> Ok[str]:
        return Ok(repr(payload))

    @on("settings")
    async def settings(self, payload: Settings) -> Ok[str]:
        return Ok(repr(payload))

    @on("positive")
    async def positive(self, payload: Positive) -> Ok[str]:
        return Ok(repr(payload))

    @on("text")
    async def text(self, payload: str) -> Ok[str]:
        return Ok(repr(payload))

    @on("numbers")
    async def numbers(self, payload: list[int]) -> Ok[str]:
        return Ok(repr(payload))

    @on("bytes")
    async def bytes_(self, payload: bytes) -> Ok[str]:
        return Ok(repr(payload))

    @on("raw")
    async def raw(self, payload: Payload) -> Ok[str]:
        return Ok(repr(payload))

    @on("none")
    async def none(self, payload) -> Ok[str]:  # type: ignore[no-untyped-def]  # noqa: ANN001 - no annotation is allowed
        return Ok(repr(payload))

    @on("mapping")
    async def mapping(self, payload: Mapping[str, Any]) -> Ok[str]:
        return Ok(repr(payload))

    @on("annotated")
    async def annotated(self, payload: Annotated[Point, "a note"]) -> Ok[str]:
        return Ok(repr(payload))


@pytest.mark.parametrize(
    ("event", "payload", "seen"),
    [
        ("shape", {"name": "a"}, "Shape(name='a', points=[], kind='open')"),
        (
            "shape",
            {"name": "a", "points": [{"x": 1}, {"x": 2, "y": 3}], "kind": "closed", "more": 1},
            "Shape(name='a', points=[Point(x=1, y=0), Point(x=2, y=3)], kind='closed')",
        ),
        ("person", {"name": "a", "age": 5}, "Person(name='a', age=5, tags={})"),
        ("person", {"name": "a", "tags": {"b": [1]}}, "Person(name='a', age=None, tags={'b': [1]})"),
        ("settings", {"volume": 0.5}, "{'volume': 0.5}"),
        ("settings", {"volume": 1, "muted": True}, "{'volume': 1.0, 'muted': True}"),
        ("positive", {"number": 1}, "Positive(number=1)"),
        ("text", "a", "'a'"),
        ("numbers", [1, 2], "[1, 2]"),
        ("bytes", b"\0\1", "b'\\x00\\x01'"),
        ("raw", {"a": [1]}, "{'a': [1]}"),
        ("raw", [1, None], "[1, None]"),
        ("raw", b"\0", "b'\\x00'"),
        ("none", "x", "'x'"),
        ("mapping", {"a": 1}, "{'a': 1}"),
        ("annotated", {"x": 1}, "Point(x=1, y=0)"),
    ],
)
async def test_a_payload_that_fits(event: str, payload: object, seen: str) -> None:
    async with open_runtime():
        typed = await joined(Typed)
        await typed.assert_reply(typed.push(event, payload), "ok", seen)


@pytest.mark.parametrize(
    ("event", "payload", "wrong"),
    [
        ("shape", {}, ["required field missing @ payload.name"]),
        ("shape", {"name": "a", "points": [{"x": 1}, {"y": 2}]}, ["required field missing @ payload.points[1].x"]),
        (
            "shape",
            {"name": "a", "points": [{"x": "many"}]},
            ["expected a whole number, not a string @ payload.points[0].x"],
        ),
        ("shape", {"name": "a", "kind": "round"}, ["payload.kind"]),
        ("shape", [1], ["expected an object, not an array @ payload"]),
        ("shape", "text", ["payload"]),
        ("shape", True, ["payload"]),
        ("shape", 5, ["payload"]),
        ("shape", b"\0", ["payload"]),
        ("person", {"age": "old", "tags": {"b": ["c"]}}, ["payload.name", "payload.age", "payload.tags['b'][0]"]),
        ("settings", {"muted": True}, ["payload.volume"]),
        ("settings", {"volume": "loud"}, ["payload.volume"]),
        ("positive", {"number": 0}, ["'number' must be > 0: 0 @ payload"]),
        ("shape", {"name": None}, ["expected a string, not null @ payload.name"]),
        ("shape", {"name": 5}, ["expected a string, not a number @ payload.name"]),
        ("shape", {"name": {"a": 1}}, ["expected a string, not an object @ payload.name"]),
        (
            "shape",
            {"name": "a", "points": [{"x": 1.0}]},
            ["expected a whole number, not a number @ payload.points[0].x"],
        ),
        ("shape", {"name": "a", "points": [{"x": True}]}, ["not a boolean @ payload.points[0].x"]),
        ("settings", {"volume": 1, "muted": "yes"}, ["expected a boolean, not a string @ payload.muted"]),
        ("settings", {"volume": True}, ["expected a number, not a boolean @ payload.volume"]),
        ("numbers", [1, "two", 3, "four"], ["payload[1]", "payload[3]"]),
        ("numbers", 5, ["payload"]),
        ("annotated", {}, ["payload.x"]),
        ("bytes", "AAE=", ["@ payload"]),
        ("bytes", {}, ["@ payload"]),
    ],
)
async def test_a_payload_that_does_not_fit_is_an_error_that_says_where(
    event: str, payload: object, wrong: list[str]
) -> None:
    async with open_runtime():
        typed = await joined(Typed)
        response = await typed.assert_reply(typed.push(event, payload), "error", {"reason": "invalid payload"})
        assert len(response["errors"]) == len(wrong)
        for line, where in zip(response["errors"], wrong, strict=True):
            assert line.endswith(where)
        # The channel lives on.
        await typed.assert_reply(typed.push("raw", 1), "ok", "1")


class Colour:
    """A class that neither attrs nor dataclasses know, as a library has them."""

    def __init__(self, name: str) -> None:
        if not name.isalpha():
            raise ValueError("a colour has letters only")
        self.name = name


class Paint(Colour):
    """Found by the hook of its base."""


@attrs.frozen
class Wall:
    """Holds one, and several."""

    paint: Paint
    others: list[Colour] = attrs.field(factory=list)


def _colour(payload: object, wanted: type[Colour]) -> Colour:
    if payload == "all":
        raise PayloadError(["all are too many @ payload", "one is enough @ payload"])
    return wanted(str(payload))


async def test_a_hook_of_the_program_is_for_a_class_and_its_subclasses() -> None:
    register_payload_hook(Colour, _colour)
    taken: list[object] = []

    class Painting(Channel):
        @on("paint")
        async def paint(self, paint: Paint) -> Ok[Any]:
            taken.append((type(paint), paint.name))
            return Ok()

        @on("wall")
        async def wall(self, wall: Wall) -> Ok[Any]:
            taken.append((type(wall.paint), [type(other) for other in wall.others]))
            return Ok()

    async with open_runtime():
        room = await joined(Painting)
        await room.assert_reply(room.push("paint", "red"), "ok")
        await room.assert_reply(room.push("wall", {"paint": "red", "others": ["blue"]}), "ok")
        for event, payload, errors in (
            ("paint", "5", ["a colour has letters only"]),
            ("paint", "all", ["all are too many @ payload", "one is enough @ payload"]),
            ("wall", {"paint": "red", "others": ["blue", "5"]}, ["a colour has letters only @ payload.others[1]"]),
        ):
            reply = await room.assert_reply(room.push(event, payload), "error", {"reason": "invalid payload"})
            assert [
                error.removesuffix(" @ payload") if len(errors) == 1 else error for error in reply["errors"]
            ] == errors
    assert taken == [(Paint, "red"), (Paint, [Colour])]


@pytest.mark.parametrize(("cls", "hook"), [("Paint", _colour), (Paint, None), (5, 5)])
def test_what_is_no_hook(cls: object, hook: object) -> None:
    with pytest.raises(TypeError, match="a payload hook is a class and a function"):
        register_payload_hook(cls, hook)  # type: ignore[arg-type]
