"""Messages between trackers: what goes out comes in, and nothing else is taken."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.presence import _wire as wire
from phxactor.presence._element import Delta
from phxactor.presence._set import PresenceSet

META = {"phx_ref": "r1", "n": 1}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def delta_of(*joins: object, **fields: Any) -> bytes:  # noqa: ANN401 - JSON
    """Write a delta with these joins."""
    return orjson.dumps(
        {"v": 1, "life": 1, "after": 1, "upto": 9, "joins": joins, "leaves": [1], "more": False, **fields}
    )


def test_a_delta_comes_in_as_it_went_out() -> None:
    one = PresenceSet("a")
    gone = one.join(1, "t", "gone", META)
    one.join(2, "t", "😀", META)
    one.leave(gone)
    (encoded,) = wire.deltas(7, one.since(1))
    said = wire.decode("delta", encoded)
    assert (said.life, said.after, said.upto, said.leaves, said.more) == (7, 0, 3, (), False)
    assert [(one.number, one.topic, one.key, one.meta) for one in said.joins] == [(2, "t", "😀", META)]
    assert wire.decode("beat", wire.beat(7, 3)) == wire.Said("beat", 7, upto=3)
    assert wire.decode("ask", wire.ask(None, 3)) == wire.Said("ask", None, 3)
    assert wire.decode("bye", wire.bye(7)) == wire.Said("bye", 7)


def test_a_large_state_comes_in_parts_that_may_be_taken_one_by_one() -> None:
    one, other = PresenceSet("a"), PresenceSet("b")
    other.up("a")
    for n in range(100):
        one.join(n, "t", f"k{n}", {"phx_ref": f"r{n}", "text": "x" * 5000})
    for n in range(0, 100, 3):
        one.drop(n)
    parts = [wire.decode("delta", part) for part in wire.deltas(1, one.since(0))]
    assert len(parts) > 2
    assert [part.more for part in parts] == [True] * (len(parts) - 1) + [False]
    for part in parts:
        assert other.merge(part.delta("a")) is not None
    assert other.seen_of("a") == one.number
    assert other.online.topics["t"].grouped() == one.online.topics["t"].grouped()
    assert list(wire.deltas(1, Delta("a", 3, 5, (), (2,)))) == [delta_of(after=3, upto=5, leaves=[2])]


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("delta", b"{"),
        ("delta", b"[]"),
        ("delta", delta_of(v=2)),
        ("delta", delta_of(life=None)),
        ("delta", delta_of(after=10)),
        ("delta", delta_of(after=-1)),
        ("delta", delta_of(leaves=[2])),
        ("delta", delta_of(leaves=["1"])),
        ("delta", delta_of(leaves=[True])),
        ("delta", delta_of(more=1)),
        ("delta", delta_of([2, "t", "ann", {}])),
        ("delta", delta_of([2, "t", None, META])),
        ("delta", delta_of([1, "t", "ann", META])),
        ("delta", delta_of([10, "t", "ann", META])),
        ("delta", delta_of([3, "t", "ann", META], [2, "t", "bob", META])),
        ("delta", delta_of("x")),
        ("beat", wire.beat(1, -1)),
        ("ask", wire.ask(1, -1)),
        ("bye", b"{}"),
        ("hello", wire.bye(1)),
    ],
)
def test_PR119a_PR121_what_is_no_message_is_refused(event: str, payload: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(event, payload)


@given(
    event=st.sampled_from(["delta", "beat", "ask", "bye"]),
    values=st.dictionaries(st.sampled_from(["v", "life", "after", "upto", "joins", "leaves", "more"]), JSON),
)
def test_PR121_any_other_json_is_refused_or_taken_and_never_raises_anything_else(
    event: str, values: dict[str, Any]
) -> None:
    try:
        said = wire.decode(event, orjson.dumps(values))
    except wire.WireError:
        return
    one = PresenceSet("a")
    one.up("b")
    one.merge(said.delta("b"))
