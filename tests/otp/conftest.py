"""Fixtures of the tests of behaviours."""

from __future__ import annotations

import pytest

from .supervision import Log


@pytest.fixture
def log() -> Log:
    """What happens to the workers of a test."""
    return Log()
