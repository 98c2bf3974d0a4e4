"""Ten faults that sharded servers could have, each put into our own code for a while."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import PropertyMock, patch

from phxactor.cluster import Node
from phxactor.otp import UNSET
from phxactor.runtime import Reason
from phxactor.sharded._barrier import Barrier
from phxactor.sharded._entry import Entry, Phase
from phxactor.sharded._ops import Op
from phxactor.sharded._places import Parcel, Places
from phxactor.sharded._states import States
from phxactor.sharded._token import Token
from phxactor.sharded._view import Agreement, View
from phxactor.sharded._waiting import Waiting

FAULTS: Final[dict[str, Callable[[], Any]]] = {}
"""By name: each is a context manager, inside of which the fault is there."""


def _fault(make: Callable[[], Iterator[None]]) -> Callable[[], Any]:
    found = FAULTS[make.__name__] = contextmanager(make)
    return found


@_fault
def a_key_starts_before_older_messages_have_come() -> Iterator[None]:
    """No barrier: the new owner starts at once."""
    with patch.object(Barrier, "is_open", PropertyMock(return_value=True)):
        yield


@_fault
def a_key_starts_before_its_state_has_come() -> Iterator[None]:
    """The new owner does not know which keys are handed over to it."""
    took = Barrier.flushed

    def flushed(self: Barrier, node: Node, number: int, _: object, *, is_last: bool) -> None:
        took(self, node, number, (), is_last=is_last)

    with patch.object(Barrier, "flushed", flushed):
        yield


@_fault
def a_state_is_lost_while_no_owner_is_there() -> Iterator[None]:
    """A state that cannot go at once is dropped."""

    def send_waiting(self: States) -> None:
        self.waiting.clear()

    with patch.object(States, "send_waiting", send_waiting), patch.object(Places, "lost_parcels", return_value=[]):
        yield


@_fault
def two_states_are_not_merged() -> Iterator[None]:
    """A state that comes to a server which runs is dropped."""
    took = States.take

    def take(self: States, parcel: Parcel) -> None:
        runs = parcel.key in self._region.entries
        took(self, Parcel(parcel.home, parcel.number, parcel.key, UNSET) if runs else parcel)

    with patch.object(States, "take", take):
        yield


@_fault
def who_watches_is_forgotten_in_a_move() -> Iterator[None]:
    """A server that moves tells nobody."""
    told = Entry.tell

    def tell(self: Entry, reason: Reason) -> None:
        if self.phase is not Phase.MOVING:
            told(self, reason)

    with patch.object(Entry, "tell", tell):
        yield


@_fault
def what_waits_is_taken_in_the_wrong_order() -> Iterator[None]:
    """What has come by the newer view goes first."""

    def take(self: Waiting, key: str) -> list[Op]:
        place = self._places.pop(key, None)
        if place is None:
            return []
        self.count -= len(place.old) + len(place.new)
        return [op for _, op in (*place.new, *place.old)]

    with patch.object(Waiting, "take", take):
        yield


@_fault
def a_view_is_there_before_all_agree() -> Iterator[None]:
    """A node acts on what it wants, with a number of its own."""

    def settle(self: Agreement) -> View | None:
        if self.view is not None and self.view.wanted == self.wants.wanted:
            return None
        self.view = View(self.wants.number, self.wants.wanted)
        return self.view

    with patch.object(Agreement, "settle", settle):
        yield


@_fault
def the_small_side_of_a_split_goes_on() -> Iterator[None]:
    """A node that is parted from most thinks that it is most."""

    def is_majority(_: Collection[Node], __: Collection[Node]) -> bool:
        return True

    with patch("phxactor.sharded._review.is_majority", is_majority):
        yield


@_fault
def what_comes_while_an_idle_server_ends_is_lost() -> Iterator[None]:
    """A message that crosses the end is put where nobody looks."""
    took = Entry.take

    def take(self: Entry, op: Op) -> None:
        if self.phase is not Phase.CLOSING:
            took(self, op)

    with patch.object(Entry, "take", take):
        yield


@_fault
def a_token_is_not_larger_than_the_one_before() -> Iterator[None]:
    """Each node counts its starts alone, whatever the view."""

    def token(_: int, node: bytes, start: int) -> Token:
        return Token(0, node, start)

    with patch("phxactor.sharded._region.Token", token):
        yield
