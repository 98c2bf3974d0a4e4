"""Random supervision trees with random crash scripts, in any order of steps, against the model of OTP's restarts."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from phxactor.runtime import trap_exit
from phxactor.testing.crash import Step, play
from phxactor.testing.schedule import Schedule
from phxactor.testing.strategies import schedule, scripts, trees
from phxactor.testing.trees import Branch

plays = trees().flatmap(lambda tree: st.tuples(st.just(tree), scripts(tree)))


async def played(tree: Branch, script: Sequence[Step]) -> None:
    trap_exit()
    await play(tree, script)


at_once = trees(failing=False).flatmap(lambda tree: st.tuples(st.just(tree), scripts(tree, 6, at_once=3)))


@settings(max_examples=100)
@given(at_once, schedule())
def test_who_dies_at_once_is_heard_of_in_some_order(made: tuple[Branch, list[Step]], order: Schedule) -> None:
    order.run(played, *made)


@settings(max_examples=100)
@given(plays, schedule())
def test_trees_do_what_the_model_says(made: tuple[Branch, list[Step]], order: Schedule) -> None:
    order.run(played, *made)
