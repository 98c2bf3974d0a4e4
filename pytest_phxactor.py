"""The pytest plugin of phxactor: fixtures, which do nothing until a test asks for them.

pytest imports it wherever phxactor is installed, also where no test uses it. So it stands beside the package, and
imports nothing of it before a fixture runs.

The option `phxactor_no_leaks = true` of pytest's configuration asks for `no_leaks` in the name of all tests; the marker
`allow_leaks("why")` excepts one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from trio.testing import MockClock

    from phxactor.runtime import Runtime

FAILED = pytest.StashKey[bool]()


class Everywhere:
    """A plugin that asks for `no_leaks` in the name of all tests."""

    @pytest.fixture(autouse=True)
    def _phxactor_no_leaks(self, no_leaks: None) -> None:
        pass


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the option."""
    parser.addini("phxactor_no_leaks", "fail tests that leave processes, sockets or the like behind", "bool", False)  # noqa: FBT003


def pytest_configure(config: pytest.Config) -> None:
    """Offer the marker, and see whether all tests are to be watched."""
    config.addinivalue_line("markers", "allow_leaks(reason): what this test leaves behind is its subject")
    if config.getini("phxactor_no_leaks"):
        config.pluginmanager.register(Everywhere(), "phxactor_no_leaks")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Take note of a test that fails: what it leaves behind is no news."""
    try:
        return (yield)
    except BaseException:
        pyfuncitem.stash[FAILED] = True
        raise


@pytest.fixture
def virtual_time() -> MockClock:
    """A clock that jumps to the next deadline when nothing else is left to do: hours pass in no time.

    Under pytest-trio, name it among the arguments of the test, as its own `autojump_clock`, which is the same. Under
    anyio's plugin, give it to the backend: `return "trio", {"clock": virtual_time}` from a fixture `anyio_backend`.
    """
    from trio.testing import MockClock

    return MockClock(autojump_threshold=0)


@pytest.fixture
async def phx_runtime() -> AsyncIterator[Runtime]:
    """A runtime of which the test is the first process, `main`; under pytest-trio and anyio's plugin."""
    from phxactor.runtime import open_runtime

    async with open_runtime() as runtime:
        yield runtime


@pytest.fixture
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test if it leaves something behind, and say who made it; `phxactor.testing.leaks` says what that is."""
    from phxactor.testing.leaks import watching

    if request.node.get_closest_marker("allow_leaks") is not None:
        yield
        return
    with watching() as watch:
        yield
    if FAILED not in request.node.stash and (found := watch.over()):
        pytest.fail("\n".join([f"{request.node.name} has left behind", *found]), pytrace=False)
