"""How one node decides on views: without processes, with a clock that stands still unless it is moved."""

from __future__ import annotations

from phxactor.cluster import Node
from phxactor.sharded._options import Options
from phxactor.sharded._review import Review
from phxactor.sharded._view import Agreed, View, Want, together
from tests.sharded.rooms import Room

A, B, C = (Node(bytes([number]) * 16, name) for number, name in enumerate("abc", 1))
ALL = ((A, True), (B, True), (C, True))
SETTLE = 3.0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def reviewed(me: Node, clock: Clock) -> Review:
    """Return the review of a node that shares the keys with two others, of which it hears nothing now."""
    options = Options("rooms", Room, on_split="majority", settle=SETTLE)
    review = Review(me, options, clock, has_cluster=True)
    review.agreement.view = View(5, ALL)
    review.agreement.acts = True
    return review


def want(*others: Node, number: int = 10, sees: tuple[Node, ...] = (A, B, C), acts: bool = False) -> Want:
    return Want(number, tuple((node, True) for node in others), sees, leaves=False, acts=acts)


def test_NO24_a_node_that_hears_nobody_is_the_small_side_at_once() -> None:
    review = reviewed(A, Clock())
    *_, view, is_small = review.next()
    assert view is None
    assert is_small
    assert not review.agreement.acts


def test_NO24_two_of_three_go_on_after_twice_the_delay() -> None:
    clock = Clock()
    review = reviewed(A, clock)
    review.agreement.hear(B, want(A, B, sees=(A, B)))
    _, agreed, view, is_small = review.next()
    assert (agreed, view, is_small, review.due) == (None, None, False, clock.now + 2 * SETTLE)
    clock.now += 2 * SETTLE
    _, agreed, view, is_small = review.next()
    assert agreed is not None
    assert agreed.wanted == ((A, True), (B, True))
    assert (view, is_small) == (None, False)


def test_NO25_who_is_wanted_by_none_that_it_hears_stops_before_they_go_on() -> None:
    clock = Clock()
    review = reviewed(C, clock)  # the pair of A and C is cut, and B wants to be with A
    review.agreement.hear(B, want(A, B))
    assert not review.next()[3]
    clock.now += SETTLE
    review.next()
    assert review.due == clock.now  # it wants something else now, and decides again
    assert review.next()[3]


def test_NO25_who_has_agreed_with_one_node_does_not_go_on_with_another_without_it() -> None:
    """The one may act on what both have agreed on; so what most of that view is counts too, not only the last view."""
    clock = Clock()
    review = reviewed(B, clock)
    review.agreement.acts = False  # none of them acts: all were parted from each other
    review.agreement.hear(A, want(A, B, sees=(A, B)))
    clock.now += 2 * SETTLE
    review.next()
    clock.now += 2 * SETTLE
    _, agreed, _, is_small = review.next()
    assert agreed is not None
    assert agreed.wanted == ((A, True), (B, True))
    assert not is_small

    review.agreement.forget(A)  # it is not known whether A has heard that, and acts
    review.agreement.hear(C, want(B, C, sees=(B, C)))
    for _ in range(4):
        _, agreed, view, is_small = review.next()
        assert (agreed, view, is_small) == (None, None, True)
        clock.now += SETTLE


def test_what_a_node_has_agreed_on_counts_until_it_acts_on_a_view() -> None:
    review = reviewed(A, Clock())
    agreement = review.agreement
    for node in (B, C):
        agreement.hear(node, want(A, B, C))
    agreement.want(ALL)
    agreed = agreement.agree()
    assert agreed is not None
    assert [*agreement.attempted] == [ALL]
    for node in (B, C):
        agreement.hear(node, Agreed(agreed.number, ALL))
    assert agreement.settle() == View(agreed.number, ALL)
    assert not agreement.attempted


def test_those_that_run_nothing_come_to_those_that_act() -> None:
    sees = {A: {A, B}, B: {A, B, C}, C: {B, C}}  # the pair of A and C is cut
    assert together(B, sees) == [A, B]
    assert together(B, sees, acting=[C]) == [C, B]
    assert together(A, sees, acting=[C]) == [A]
