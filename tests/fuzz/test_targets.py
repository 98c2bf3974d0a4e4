"""Every target, fed by Hypothesis: any bytes, and seeds that were changed here and there."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Draw a seed with some of its bytes replaced, taken out, put in, or with a piece of another."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 5))):
        at = draw(st.integers(0, len(data)))
        other = draw(st.sampled_from(seeds))
        start = draw(st.integers(0, len(other)))
        piece = draw(st.one_of(st.binary(max_size=4), st.just(other[start : start + draw(st.integers(0, 60))])))
        data[at : at + draw(st.integers(0, 8))] = piece
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_comes(name: str, data: st.DataObject) -> None:
    target = TARGETS[name]
    target.function(data.draw(st.one_of(st.binary(), mutated([*target.seeds]))))


@pytest.mark.parametrize("name", TARGETS)
def test_what_gets_far(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name].function(seed)
