"""Random clients against a real endpoint: what they get, and what there is, must be what the model allows."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from tests.protocol.random_clients import play_at_random
from tests.protocol.wires import MemoryStream, SocketPair, Wire


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Let channels crash without a word: that is what many of the steps are for."""
    caplog.set_level(logging.CRITICAL + 1)


@pytest.mark.parametrize(("wires", "steps"), [(MemoryStream, 1_200), (SocketPair, 400)])
def test_no_client_gets_anything_but_what_the_protocol_says(wires: Callable[[], Wire], steps: int) -> None:
    """In `make soak` there are 20,000 steps of each."""
    tally = play_at_random(steps, first_seed=1, wires=wires)
    assert tally.disagreement is None, tally.disagreement
    assert tally.steps >= steps
