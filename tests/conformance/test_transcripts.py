"""What Phoenix answered, phxactor answers: recorded transcripts, and scenarios of our own beside them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
import trio

from tests.conformance.player import PRESENCE, Scenario, groups, load, play_all
from tests.conformance.scenarios import MORE
from tests.conformance.server import serve_zoo

RECORDED = [*load(), *load(PRESENCE)]
ALL = [*RECORDED, *MORE]

pytestmark = pytest.mark.socket


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[str]]]:
    """Play everything at once: one after the other would take a minute."""
    with serve_zoo(tmp_path_factory.mktemp("zoo")) as zoo:
        yield trio.run(partial(play_all, zoo.url, ALL, lambda *_: None))


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_agrees(scenario: Scenario, played: dict[str, list[str]]) -> None:
    differences = played[scenario.name]
    assert not differences, "\n".join([scenario.about, *differences])


def test_no_two_scenarios_have_one_name() -> None:
    assert len({one.name for one in ALL}) == len(ALL)


def test_scenarios_that_share_a_topic_are_played_in_turn() -> None:
    places = {one.name: number for number, group in enumerate(groups(RECORDED)) for one in group}
    assert places["terminate_plain_leave"] == places["terminate_disconnect"]
    assert places["join_error"] == places["v1_error"]
    assert places["broadcast"] != places["broadcast_from"]
