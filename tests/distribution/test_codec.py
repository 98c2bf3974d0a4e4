"""Values go and arrive as they were; what is no data raises in the sender, with the path to it."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import IntEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given

from phxactor import Crash, Down, Exited, Shutdown, monitor, self_pid
from phxactor.cluster import Node
from phxactor.distribution import (
    CannotTravelError,
    RemoteError,
    RemoteValue,
    decode,
    encode,
    encode_reason,
)
from phxactor.otp import Called
from phxactor.runtime import open_runtime, spawn
from tests.distribution.values import Order, Point, Value, same, values
from tests.distribution.written_pids import WrittenPids

PIDS = WrittenPids()


def there(value: Value) -> Value:
    return decode(encode(value, PIDS), PIDS)


@given(values())
def test_a_value_arrives_as_it_was(value: Value) -> None:
    assert same(there(value), value)


@pytest.mark.parametrize(
    "value",
    [True, 1, 1.0, "1", b"1", (1,), [1], {1}, frozenset({1}), 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, -0.0],
)
def test_types_are_kept_apart(value: Value) -> None:
    assert same(there(value), value)


def test_a_dict_keeps_its_order_and_the_types_of_its_keys() -> None:
    assert same(
        there({"b": 1, "a": 2, (1, 2): 3, 7: 4, b"b": 5, None: 6, True: 7}),
        {"b": 1, "a": 2, (1, 2): 3} | {7: 4, b"b": 5, None: 6, True: 7},
    )


def test_nan_and_infinity_travel() -> None:
    assert math.isnan(there(math.nan))
    assert there([math.inf, -math.inf]) == [math.inf, -math.inf]


def test_of_a_zone_the_offset_travels() -> None:
    summer = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
    arrived = there(summer)
    assert arrived == summer.astimezone(UTC)
    assert arrived.utcoffset() == summer.utcoffset()
    assert there(datetime(2026, 10, 25, 2, 30, fold=1)).fold == 1  # noqa: DTZ001 - one without a zone is the test
    assert there(datetime(2026, 1, 1)).tzinfo is None  # noqa: DTZ001 - the same


async def test_processes_and_references_travel() -> None:
    async with open_runtime():
        me = self_pid()
        other = spawn(_nothing)
        ref = monitor(other)
        assert there({"me": [me, (other, ref)]}) == {"me": [me, (other, ref)]}
        assert there(Down(ref, other, "boom")) == Down(ref, other, "boom")
        assert there(Exited(other, Shutdown("moved"))) == Exited(other, Shutdown("moved"))
        assert there(("noproc", Called("GenServer.call", me, ("add", 1), 5.0))) == (
            "noproc",
            Called("GenServer.call", me, ("add", 1), 5.0),
        )


async def _nothing() -> None:
    """Return at once."""


def test_a_node_travels_with_its_name() -> None:
    arrived = there(("nodedown", Node(bytes(16), "shop@web1")))
    assert arrived == ("nodedown", Node(bytes(16), "shop@web1"))
    assert arrived[1].name == "shop@web1"


# ------------------------------------------------------------------------------------------------- crashes


def _fail(error: BaseException) -> None:
    raise error


def _crash(error: BaseException) -> Crash:
    with pytest.raises(type(error)) as caught:
        _fail(error)
    return Crash(caught.value)


def test_a_crash_arrives_as_data() -> None:
    arrived = there(("boom", _crash(ValueError("no such item"))))[1].exception
    assert type(arrived) is RemoteError
    assert (arrived.type_name, arrived.text) == ("ValueError", "no such item")
    assert "raise error\n" in arrived.traceback_text
    assert str(arrived) == "ValueError: no such item"


def test_a_crash_that_goes_on_to_a_third_node_is_the_first_one() -> None:
    once = there(_crash(ValueError("no such item")))
    assert there(once).exception.args == once.exception.args


def test_the_texts_of_a_crash_are_bounded() -> None:
    assert len(encode(_crash(ValueError("x" * 10_000_000)), PIDS)) < 30_000


def test_a_crash_whose_text_raises_or_is_no_text_arrives() -> None:
    class Bad(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert there(_crash(Bad())).exception.type_name == "Bad"
    assert there(_crash(ValueError("\ud800"))).exception.text == "\\ud800"


# ------------------------------------------------------------------------------------- what does not travel


class Color(IntEnum):
    RED = 1


class Text(str):
    __slots__ = ()


class Wrong(tzinfo):
    def utcoffset(self, _: datetime | None) -> None:
        raise RuntimeError("no offset today")

    def dst(self, _: datetime | None) -> None:
        """None is known."""

    def tzname(self, _: datetime | None) -> None:
        """None is known."""


@attrs.frozen
class Undeclared:
    a: int = 1


LOCK = threading.Lock()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (LOCK, "message is a lock: only data travels"),
        ({"items": [1, (2, LOCK)]}, "message['items'][1][1] is a lock: only data travels"),
        (Order("tea", extra=[0, 0, 0, {"lock": LOCK}]), "message.extra[3]['lock'] is a lock: only data travels"),
        (Shutdown((1, LOCK)), "message.detail[1] is a lock: only data travels"),
        (Called("call", LOCK), "message.server is a lock: only data travels"),
        ({(1, len): 2}, "the key a tuple of message[1] is a builtin_function_or_method: no code travels, only data"),
        ([Point], "message[0] is a type: no code travels, only data"),
        ([Undeclared()], "message[0] is an Undeclared: declare the class with @message(...), so that it may travel"),
        ([Color.RED], "message[0] is a Color: send int(value), as subclasses do not travel"),
        ([Text("a")], "message[0] is a Text: send str(value), as subclasses do not travel"),
        ([OrderedDict()], "message[0] is an OrderedDict: send dict(value), as subclasses do not travel"),
        ([Decimal(1)], "message[0] is a Decimal: only data travels"),
        ([ValueError("a")], "message[0] is a ValueError: only data travels"),
        ({"a": "\ud800"}, "message['a'] holds half of a surrogate pair, which is no UTF-8"),
        ({"\ud800": 1}, "the key '\\ud800' of message holds half of a surrogate pair, which is no UTF-8"),
        ([1 << 9000], "message[0] is an int of 1126 bytes, and 1024 travel at most"),
        ([datetime(2026, 1, 1, tzinfo=Wrong())], "message[0] no offset today"),
        (Point("1"), "message.x is a str, and int is declared"),  # type: ignore[arg-type]
        (Order("tea", [Point(1), 2]), "message.points[1] is an int, and Point is declared"),  # type: ignore[list-item]
    ],
)
def test_what_is_no_data_raises_with_its_path(value: Value, text: str) -> None:
    with pytest.raises(CannotTravelError) as caught:
        encode(value, PIDS)
    assert str(caught.value) == text
    assert isinstance(caught.value, TypeError)


def test_what_holds_itself_raises() -> None:
    around: list[object] = []
    around.append({"a": around})
    with pytest.raises(CannotTravelError, match="lies deeper than 250 in other values, or holds itself"):
        encode(around, PIDS)


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: (inner,), lambda inner: Order("a", extra=inner)])
def test_what_was_sent_is_never_too_deep_to_be_read(wrap: Callable[[object], object]) -> None:
    value: object = 1
    for _ in range(250):
        value = wrap(value)
    assert isinstance(there(value), type(value))
    with pytest.raises(CannotTravelError, match="lies deeper than 250 in other values"):
        encode(wrap(value), PIDS)


def test_a_message_has_a_size_at_most() -> None:
    encode(b"x" * 95, PIDS, 100)
    with pytest.raises(CannotTravelError, match="the message has 102 bytes, and 100 travel at most"):
        encode(b"x" * 100, PIDS, 100)


def test_after_an_error_the_next_value_is_whole() -> None:
    with pytest.raises(CannotTravelError):
        encode([1, 2, LOCK], PIDS)
    assert there([1, 2]) == [1, 2]


# ------------------------------------------------------------------------------------------------- reasons


class Unreadable:
    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("reason", "arrives"),
    [
        ("boom", "boom"),
        (("bad", {"value": [Undeclared()]}), ("bad", {"value": [RemoteValue("Undeclared", "Undeclared(a=1)")]})),
        (("bad", Point("1")), ("bad", RemoteValue("Point", "Point(x='1', y=0)"))),  # type: ignore[arg-type]
        ("\ud800", RemoteValue("str", "'\\ud800'")),
    ],
)
def test_a_reason_always_arrives(reason: Value, arrives: Value) -> None:
    assert decode(encode_reason(reason, PIDS), PIDS) == arrives


def test_a_reason_that_is_too_large_or_holds_itself_arrives_as_its_text() -> None:
    around: list[Any] = []
    around.append(around)
    for reason in ("x" * 2_000_000, around):
        arrived = decode(encode_reason(reason, PIDS), PIDS)
        assert isinstance(arrived, RemoteValue)
        assert len(arrived.text) <= 2000
    arrived = decode(encode_reason(Unreadable(), PIDS), PIDS)
    assert isinstance(arrived, RemoteValue)
    assert arrived.type_name == "Unreadable"


def test_a_uuid_stays_one() -> None:
    assert there(UUID(int=7)) == UUID(int=7)
