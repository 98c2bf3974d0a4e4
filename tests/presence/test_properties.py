"""What holds for people in a cluster, whatever befalls it: stories drawn by Hypothesis, and by numbers."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phxactor.presence._element import Changes, Delta
from phxactor.presence._set import PresenceSet
from phxactor.testing import strategies
from phxactor.testing.outages import Freeze, Pass, Thaw
from phxactor.testing.schedule import Schedule
from tests.presence.story import KEYS, NODES, TOPICS, Again, Anew, Change, Come, Go, Jump, Lose, Step, tell
from tests.soak import presence as soak


def stories() -> st.SearchStrategy[list[Step]]:
    """Draw stories; the simplest is that nothing happens."""
    node, who = st.sampled_from(NODES), st.integers(0, 9)
    people = st.lists(
        st.one_of(
            st.builds(Come, node, st.sampled_from(TOPICS), st.sampled_from(KEYS)),
            st.builds(Change, who),
            st.builds(Go, who, st.booleans()),
            st.builds(Again, node, st.integers(0, 99)),
            st.builds(Lose, st.sampled_from([0.0, 0.2, 0.5])),
            st.builds(Jump, st.sampled_from([0.0, 2.0, 30.0, 3600.0]), st.sampled_from([0.0, 86400.0, -86400.0])),
            st.builds(Anew, node),
        ),
        min_size=1,
        max_size=6,
    )
    turns: st.SearchStrategy[list[list[Step]]] = st.lists(
        st.one_of(people, people, strategies.outages(NODES, max_size=3)), max_size=8
    )
    return turns.map(lambda found: [step for steps in found for step in steps])


@settings(max_examples=15)
@given(steps=stories(), schedule=strategies.schedule(timeouts=0), uneven=st.booleans())
def test_PR101_PR104_PR108a_PR123_PR124_PR125_PR126_PR127_PR131_PR133_PR134_PR135_any_story_ends_well(
    steps: list[Step], schedule: Schedule, uneven: bool
) -> None:
    tell(steps, schedule, uneven=uneven)


@pytest.mark.parametrize("number", [8305, 2001599])
def test_PR107_a_node_that_comes_back_is_not_forgotten_before_it_has_answered(number: int) -> None:
    """Its hidden elements were forgotten a second after it was up, so that its answer went on from nothing."""
    steps, uneven = soak.round_of(number)
    tell(steps, Schedule(number, timeouts=0), uneven=uneven)


def test_a_fault_is_told_by_its_number_and_in_few_steps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    come = [Come(node, topic, "ann") for node in NODES for topic in TOPICS]
    steps = [
        *come,
        Pass(0.5),
        Freeze("b"),
        Thaw("b"),
        Change(2),
        Pass(0.5),
        Go(1),
        Again("a", 3),
        Come("c", "t", "bob"),
    ]
    assert soak.round_of(7) == soak.round_of(7) != soak.round_of(8)
    monkeypatch.setattr(soak, "round_of", lambda _: (steps, False))
    assert soak.main(1, 7) == 0
    assert capsys.readouterr().out == "1 rounds of presence, 0 failed\n"
    whole = PresenceSet.merge

    def forgetful(self: PresenceSet, delta: Delta) -> Changes | None:
        """Lose the leaves that a delta names."""
        return whole(self, attrs.evolve(delta, leaves=()))

    monkeypatch.setattr(PresenceSet, "merge", forgetful)
    assert soak.main(1, 7) == 1
    why, which, *few, last = capsys.readouterr().out.splitlines()
    assert why.startswith("AssertionError: PR123")
    assert which == "round 7 failed, uneven=False:"
    assert last == "1 rounds of presence, 1 failed"
    assert 3 <= len(few) <= 4
    assert few[0].strip().startswith("Come")
    assert few[-1].strip().startswith(("Go", "Change"))
