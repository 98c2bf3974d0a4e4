"""Random clients against a real endpoint: what they get, and what there is, must be what the model allows."""

from __future__ import annotations

import logging

import pytest

from tests.protocol.random_clients import play_at_random

STEPS = 10_000


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Let channels crash without a word: that is what many of the steps are for."""
    caplog.set_level(logging.CRITICAL + 1)


def test_no_client_gets_anything_but_what_the_protocol_says() -> None:
    tally = play_at_random(STEPS, first_seed=1)
    assert tally.disagreement is None, tally.disagreement
    assert tally.steps >= STEPS
