"""The pytest plugin of phxactor: fixtures, which do nothing until a test uses them.

pytest imports the plugin wherever phxactor is installed, even if no test uses it. So it is outside of the package, and
imports nothing of the package before a fixture runs.

The option `phxactor_no_leaks = true` of pytest's configuration applies `no_leaks` to all tests. The marker
`allow_leaks("why")` exempts a test. A failed play of a `Schedule` has a chart in a file: `--phxactor-charts DIR`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from trio.testing import MockClock

    from phxactor.runtime import Runtime

FAILED = pytest.StashKey[bool]()
_NOT_ON_TRIO = (
    "phx_runtime needs a test that runs on trio, and no plugin runs this one so: install pytest-trio (it comes with "
    "phxactor[testing]) and set trio_mode = true in pytest's configuration, or mark the test with pytest.mark.trio; "
    "beside pytest-asyncio, leave asyncio_mode at strict. anyio's plugin does as well: anyio_mode = auto, with a "
    "fixture anyio_backend that returns 'trio'"
)


class Everywhere:
    """A plugin that applies `no_leaks` to all tests."""

    @pytest.fixture(autouse=True)
    def _phxactor_no_leaks(self, no_leaks: None) -> None:
        pass


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    parser.getgroup("phxactor").addoption(
        "--phxactor-charts",
        metavar="DIR",
        help="write a chart of each failed play of a Schedule into this folder; by default, into pytest's cache",
    )
    parser.addini("phxactor_no_leaks", "fail tests that leave processes, sockets or the like behind", "bool", False)  # noqa: FBT003


def pytest_configure(config: pytest.Config) -> None:
    """Add the marker `allow_leaks`; apply `no_leaks` to all tests if the option says so."""
    config.addinivalue_line("markers", "allow_leaks(reason): what this test leaves behind is its subject")
    if config.getini("phxactor_no_leaks"):
        config.pluginmanager.register(Everywhere(), "phxactor_no_leaks")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test that uses `phx_runtime` if no plugin runs it on trio; say which plugin does."""
    fixtures = getattr(item, "fixturenames", ())
    if "phx_runtime" not in fixtures or "anyio_backend" in fixtures:
        return
    if item.get_closest_marker("trio") is None or not item.config.pluginmanager.hasplugin("trio"):
        pytest.fail(_NOT_ON_TRIO, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Mark a failed test: `no_leaks` does not report its leaks."""
    try:
        return (yield)
    except BaseException:
        pyfuncitem.stash[FAILED] = True
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show of a failed play what the program did, and write its chart into a file."""
    if call.excinfo is not None and "phxactor.testing.schedule" in sys.modules:
        from phxactor.testing import _report

        error = _report.alone(_report.changed(call.excinfo.value))
        if _report.is_ours(error):
            if not item.config.getoption("fulltrace"):
                _report.tidy(error)
                call.excinfo = pytest.ExceptionInfo.from_exception(error)
            trace, folder = _report.trace_of(error), _charts(item.config)
            if trace is not None and folder is not None:
                path = _report.write(error, trace, folder, item.nodeid)
                error.add_note(f"chart: {os.path.relpath(path)}")
    return (yield)


def _charts(config: pytest.Config) -> Path | None:
    """Return the folder of the charts; None if there is no cache, and no other one is chosen."""
    chosen = config.getoption("phxactor_charts")
    if chosen is not None:
        return Path(chosen)
    cache = getattr(config, "cache", None)
    return None if cache is None else Path(cache.mkdir("phxactor"))


@pytest.fixture
def virtual_time() -> Iterator[MockClock]:
    """A mock clock that jumps to the next deadline when all tasks wait, so that hours pass in no time.

    A thread of `trio.to_thread` takes no time of it: nothing else happens while it runs (`phxactor.testing.threads`).

    Under pytest-trio, name it among the arguments of the test, in place of `autojump_clock`. Under anyio's plugin, give
    it to the backend: return `"trio", {"clock": virtual_time}` from a fixture `anyio_backend`.
    """
    from trio.testing import MockClock

    from phxactor.testing.threads import in_turn

    with in_turn():
        yield MockClock(autojump_threshold=0)


@pytest.fixture
async def phx_runtime() -> AsyncIterator[Runtime]:
    """A runtime whose first process, `main`, is the test. Works under pytest-trio and anyio's plugin.

    Fails a test that an exit signal has ended, whatever its reason: such a test has not come to its end.
    """
    from phxactor.runtime import format_reason, open_runtime

    ended = True
    async with open_runtime() as runtime:
        yield runtime
        ended = False
    if ended:
        reason = format_reason(runtime.main.exit_reason)
        raise AssertionError(f"an exit signal of a linked process has ended the test: {reason}")


@pytest.fixture
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test if it leaves one of the things listed in `phxactor.testing.leaks` behind; say what created it."""
    from phxactor.testing.leaks import watching

    if request.node.get_closest_marker("allow_leaks") is not None:
        yield
        return
    with watching() as watch:
        yield
    if FAILED not in request.node.stash and (found := watch.over()):
        pytest.fail("\n".join([f"{request.node.name} has left behind", *found]), pytrace=False)
