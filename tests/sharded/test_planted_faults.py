"""Ten faults put into our own sharded servers: the simulation finds each of them."""

from __future__ import annotations

import pytest

from tests.sharded.planted import FAULTS
from tests.sharded.simulation import held

FOUND = {
    "a_key_starts_before_older_messages_have_come": ("both", 49),
    "a_key_starts_before_its_state_has_come": ("both", 10),
    "a_state_is_lost_while_no_owner_is_there": ("both", 4),
    "two_states_are_not_merged": ("both", 1),
    "who_watches_is_forgotten_in_a_move": ("both", 5),
    "what_waits_is_taken_in_the_wrong_order": ("both", 275),
    "a_view_is_there_before_all_agree": ("both", 0),
    "the_small_side_of_a_split_goes_on": ("majority", 4),
    "what_comes_while_an_idle_server_ends_is_lost": ("both", 43),
    "a_token_is_not_larger_than_the_one_before": ("both", 6),
}
"""The way to split, and the first program that finds it: so many plays before hold."""


def test_there_are_ten() -> None:
    assert sorted(FOUND) == sorted(FAULTS)
    assert len(FAULTS) == 10


@pytest.mark.parametrize("fault", FOUND)
def test_the_simulation_finds_a_planted_fault(fault: str) -> None:
    on_split, number = FOUND[fault]

    with FAULTS[fault]():
        found = held(number, on_split)

    assert found, "this program is the first that finds it"
    assert not held(number, on_split), "without the fault it holds"
