"""Declared messages: their names, fields and types, and two versions of a program that understand each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, NewType, TypeVar
from uuid import UUID

import attrs
import pytest
from msgpack import packb

from phxactor import Pid
from phxactor.distribution import CannotTravelError, DecodeError, decode, encode, message
from phxactor.distribution._codec_types import check_of
from phxactor.distribution._codec_wire import MESSAGE
from tests.distribution.values import Order, Point
from tests.distribution.written_pids import WrittenPids

PIDS = WrittenPids()
UserId = NewType("UserId", int)
T = TypeVar("T")


def _sent(name: str, fields: dict[str, object]) -> object:
    """Return what arrives of a message that a node of another version sends."""
    return decode(packb([MESSAGE, name, fields]), PIDS)


def test_a_message_arrives_as_an_instance() -> None:
    order = Order("tea", [Point(1, 2)], note="soon", extra=(1, [2]))
    assert decode(encode(order, PIDS), PIDS) == order


def test_a_field_of_a_newer_version_is_dropped() -> None:
    assert _sent("test.point", {"x": 1, "y": 2, "z": 3}) == Point(1, 2)


def test_a_field_that_an_older_version_lacks_has_its_default() -> None:
    assert _sent("test.order", {"item": "tea"}) == Order("tea")


def test_a_missing_field_without_default_is_named() -> None:
    with pytest.raises(DecodeError, match=r"test\.point: the field x is missing, and has no default"):
        _sent("test.point", {"y": 1})


def test_nothing_is_coerced() -> None:
    with pytest.raises(DecodeError, match=r"test\.point: x is a str, and int is declared"):
        _sent("test.point", {"x": "3"})
    with pytest.raises(DecodeError, match=r"test\.point: x is a bool, and int is declared"):
        _sent("test.point", {"x": True})


@attrs.frozen
class Box(Generic[T]):
    inside: T


GOOD_AND_BAD: list[tuple[Any, list[object], list[object]]] = [
    (int, [1, 2**70], [True, 1.0, "1", None]),
    (bool, [True], [1]),
    (float, [1.5, 1], [True, "1"]),
    (str, ["a"], [b"a"]),
    (bytes, [b"a"], ["a"]),
    (None, [None, 1], []),
    (type(None), [None], [0]),
    (object, [None, 1], []),
    (Any, [None, 1], []),
    (datetime, [datetime(2026, 1, 1)], [date(2026, 1, 1)]),  # noqa: DTZ001 - any
    (date, [date(2026, 1, 1)], [datetime(2026, 1, 1)]),  # noqa: DTZ001 - any
    (UUID, [UUID(int=1)], ["1"]),
    (list, [[1, "a"]], [(1,)]),
    (list[int], [[], [1]], [(1,), ["a"], [True], "ab"]),
    (Sequence[str], [["a"], ("a",)], ["ab", [1]]),
    (tuple, [(1, "a")], [[1]]),
    (tuple[int, str], [(1, "a")], [(1,), (1, 2), (1, "a", 2), [1, "a"]]),
    (tuple[int, ...], [(), (1, 2)], [("a",), [1]]),
    (tuple[()], [()], [(1,)]),
    (set[int], [{1}], [{"a"}, frozenset({1})]),
    (frozenset[int], [frozenset({1})], [{1}]),
    (dict, [{1: 2}], [[1]]),
    (dict[str, int], [{"a": 1}], [{1: 1}, {"a": "b"}, []]),
    (Mapping[str, list[int]], [{"a": [1]}], [{"a": [None]}]),
    (int | None, [1, None], ["1"]),
    (list[int] | dict[str, int] | None, [[1], {"a": 1}, None], [["a"], {"a": "a"}, 1]),
    (Literal["a", 1], ["a", 1], ["b", True, 2, []]),
    (UserId, [1], ["1"]),
    (Annotated[list[int], "of points"], [[1]], [["a"]]),
    (Point, [Point(1)], [{"x": 1}, Order("a")]),
    (list[Point], [[Point(1)]], [[1]]),
    (Box[int], [Box(1)], [1]),
    (Pid, [], [1]),
    (T, [1], []),
]


@pytest.mark.parametrize(("annotation", "good", "bad"), GOOD_AND_BAD)
def test_a_type_is_checked_as_annotated(annotation: Any, good: list[object], bad: list[object]) -> None:  # noqa: ANN401 - any
    check = check_of(annotation)
    for value in good:
        check(value, "x")
    for value in bad:
        with pytest.raises(TypeError, match=r"^(x|the key)"):
            check(value, "x")


def test_an_annotation_that_no_data_fits_is_told() -> None:
    @message("test.callback")
    @attrs.frozen
    class Callback:
        function: type

    with pytest.raises(CannotTravelError, match="no data fits the annotation <class 'type'>"):
        encode(Callback(int), PIDS)


def test_fields_of_a_private_name_and_without_argument() -> None:
    @message("test.account")
    @attrs.define
    class Account:
        _balance: int
        size: int = attrs.field(init=False, default=7)

    account = Account(balance=3)
    account.size = 9
    arrived = decode(encode(account, PIDS), PIDS)
    assert arrived == Account(balance=3)


def test_what_a_validator_refuses_is_an_error_of_decoding() -> None:
    @message("test.positive")
    @attrs.frozen
    class Positive:
        number: int = attrs.field(validator=attrs.validators.gt(0))

    with pytest.raises(DecodeError, match=r"test\.positive: ValueError as it was made: 'number' must be > 0"):
        _sent("test.positive", {"number": -1})


def test_a_name_is_declared_once() -> None:
    with pytest.raises(ValueError, match=r"'test\.point' is declared twice"):

        @message("test.point")
        @attrs.frozen
        class Another:
            """Another point."""

    with pytest.raises(ValueError, match=r"is declared twice: as 'test\.point' and as 'test\.point2'"):
        message("test.point2")(Point)


@pytest.mark.parametrize("name", ["", "x" * 256, "a\nb", None])
def test_a_name_is_text(name: Any) -> None:  # noqa: ANN401 - any
    with pytest.raises(ValueError, match="1 to 255 printable characters"):
        message(name)


def test_only_attrs_classes_are_declared() -> None:
    class Plain:
        """No fields."""

    class Inherited(Point):
        """Not decorated itself."""

    for cls in (Plain, Inherited, len):
        with pytest.raises(TypeError, match=r"@message stands above @attrs\.frozen"):
            message("test.plain")(cls)  # type: ignore[type-var]


def test_a_subclass_of_a_message_is_declared_itself_or_does_not_travel() -> None:
    @attrs.frozen
    class Further(Point):
        z: int = 0

    with pytest.raises(CannotTravelError, match="declare the class"):
        encode(Further(1), PIDS)
