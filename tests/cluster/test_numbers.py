"""Numbers: which messages are taken, which are dropped, and which show a gap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.cluster import Numbers
from phxactor.cluster import _numbers as module
from phxactor.cluster._numbers import FRESH

SENDER = bytes(15) + b"\x01"
NOW = 10**12


def check(numbers: Numbers, number: int, previous: int = 0, *, lane: str = "x", sender: bytes = SENDER) -> str:
    return numbers.check(sender, lane, number, previous, sent_at=NOW, now=NOW)


def test_CL33_what_is_not_higher_than_the_highest_seen_is_a_replay() -> None:
    numbers = Numbers()
    assert [check(numbers, number) for number in (5, 5, 4, 6)] == ["new", "replayed", "replayed", "new"]
    assert check(numbers, 6, lane="y") == "replayed"


def test_CL33_a_sender_not_heard_before_must_be_fresh() -> None:
    numbers = Numbers()
    for sent_at, verdict in ((NOW - FRESH - 1, "old"), (NOW + FRESH + 1, "old"), (NOW - FRESH, "new")):
        assert numbers.check(SENDER, "x", 1, 0, sent_at=sent_at, now=NOW) == verdict
    assert numbers.check(SENDER, "x", 2, 1, sent_at=0, now=NOW) == "new", "a known one may be late"


def test_CL25_a_hole_on_a_lane_is_a_gap_and_no_claim_is_none() -> None:
    numbers = Numbers()
    assert check(numbers, 3) == "new"
    assert check(numbers, 9, 3) == "new", "what went elsewhere is nobody's loss"
    assert check(numbers, 12, 10) == "gap"
    assert check(numbers, 20, 0) == "new"


def test_one_loss_that_several_lanes_show_is_one_gap() -> None:
    numbers = Numbers()
    for number, lane in ((1, "x"), (2, "y"), (3, "z")):
        check(numbers, number, lane=lane)
    # 4, 5 and 6 are lost, one on each lane
    assert check(numbers, 7, 4, lane="x") == "gap"
    assert check(numbers, 8, 5, lane="y") == "new"
    # 9 is lost, on z
    assert check(numbers, 10, 7, lane="x") == "new"
    assert check(numbers, 11, 9, lane="z") == "gap"


def test_a_lane_that_only_this_receiver_reads_has_a_gap_at_its_start() -> None:
    assert check(Numbers(from_start=True), 4, 3) == "gap"
    assert check(Numbers(from_start=True), 4, 0) == "new"


def test_CL25_a_lane_that_is_always_read_has_a_gap_once_its_sender_was_heard_elsewhere() -> None:
    numbers = Numbers(always="all")
    assert check(numbers, 3, 2, lane="x") == "new", "its first word"
    assert check(numbers, 5, 3, lane="all") == "new", "said before that"
    other = Numbers(always="all")
    check(other, 3, 2, lane="x")
    assert check(other, 5, 4, lane="all") == "gap"
    assert check(other, 8, 7, lane="y") == "new", "another lane may not have been read when 7 was said"
    other.restart()
    assert check(other, 11, 10, lane="x") == "new"
    assert check(other, 12, 9, lane="all") == "new", "said while nothing was read, which is told otherwise"


def test_lanes_are_forgotten_and_replays_are_not() -> None:
    numbers = Numbers()
    check(numbers, 1)
    check(numbers, 2, lane="y")
    numbers.forget(frozenset("x"))
    assert check(numbers, 9, 8) == "new"
    numbers.restart()
    assert check(numbers, 20, 15) == "new"
    assert check(numbers, 20, 15) == "replayed"


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SENDERS", 50)
    monkeypatch.setattr(module, "LANES", 70)
    numbers = Numbers()
    for number in range(50):
        assert check(numbers, 1, sender=number.to_bytes(16)) == "new"
    stranger = b"\xff" * 16
    assert check(numbers, 1, sender=stranger) == "many"
    later = NOW + 2 * FRESH + 1
    assert numbers.check(stranger, "x", 1, 0, sent_at=later, now=later) == "new", "those not heard for long make room"
    for number in range(100):
        numbers.check(stranger, str(number), number + 2, 0, sent_at=later, now=later)
    assert len(numbers) == 1 + 70


@given(st.data())
def test_each_loss_on_a_wire_is_one_gap(data: st.DataObject) -> None:
    arrives = data.draw(st.lists(st.booleans(), max_size=30))
    numbers, gaps, losing, holes = Numbers(from_start=True), 0, False, 0
    for number, comes in enumerate(arrives, 1):
        if comes:
            holes += losing
            gaps += check(numbers, number, number - 1) == "gap"
        losing = not comes
    assert gaps == holes
