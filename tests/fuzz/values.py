"""What a node with the cluster's secret may send as a value."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

from phxactor import Crash, Error, Ok, Shutdown
from phxactor.cluster import Node
from phxactor.distribution import DecodeError, decode, encode
from tests.distribution.values import Order, Point
from tests.distribution.written_pids import WrittenPids

PIDS: Final = WrittenPids()


def value(data: bytes) -> None:
    """Take what is said to be a value of another node: it is one, which can go on, or is refused."""
    try:
        taken = decode(data, PIDS)
    except DecodeError:
        return
    again = encode(taken, PIDS)
    assert encode(decode(again, PIDS), PIDS) == again


VALUES: Final = [
    encode(("add", {"id": 7, "name": "tea", 2**70: [1.5, None, True, b"\xff"]}, frozenset({(1, 2), "a"})), PIDS),
    encode(Order("tea", [Point(1), Point(-(2**40), 2)], extra={1, 2**100}), PIDS),
    encode((datetime(2026, 1, 1, tzinfo=UTC), date(2026, 1, 1), UUID(int=7)), PIDS),
    encode((Shutdown("moved"), Ok(1, info=2), Error("taken"), Crash(OSError("boom")), Node(bytes(16), "a")), PIDS),
    b"\xdd\x00\x0f\xff\xff" * 200,
    b"\x91" * 2000,
]
