"""The pytest plugin: fixtures, which do nothing until a test asks for them."""

from __future__ import annotations

import pytest
from trio.testing import MockClock


@pytest.fixture
def virtual_time() -> MockClock:
    """A clock that jumps to the next deadline when nothing else is left to do: hours pass in no time.

    Under pytest-trio, name it among the arguments of the test, as its own `autojump_clock`, which is the same. Under
    anyio's plugin, give it to the backend: `return "trio", {"clock": virtual_time}` from a fixture `anyio_backend`.
    """
    return MockClock(autojump_threshold=0)
