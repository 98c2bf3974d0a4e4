"""What the tests need of the machine: Node for `node`, Chromium too for `browser`, nginx and HAProxy for `proxy`.

A test whose marker names what is missing is skipped, all of them with one line; `make test` installs both where it can.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import shutil
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from trio.testing import MockClock

from tests.hanging import Watch, watched

# An example may take long on a machine that has other things to do: how long is measured in benchmarks, never here.
settings.register_profile("phxactor", deadline=None)
settings.load_profile("phxactor")

THAWED: list[bool] = []
"""Filled when the garbage collector has got back what was frozen."""
MODULES = Path(__file__).parent / "javascript" / "node_modules"
# Beside the interpreter: `make` puts a Node there where the machine has none, and not everybody activates environments.
NODE = shutil.which("node", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
CHROMIUM = shutil.which("chromium")
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
"""Debian keeps servers where only root looks for programs."""
NGINX = shutil.which("nginx", path=PATH)
HAPROXY = shutil.which("haproxy", path=PATH)

# A shell starts a job in the background with Ctrl-C ignored. The tests of Ctrl-C need Python's own handler.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

if NODE is not None:
    os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", NODE)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Say how tests are spread over processes."""
    from tests.spreading import Spreading  # noqa: PLC0415 - pytest-xdist need not be there

    return Spreading(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the garbage collector rest: it would look at all tests that there are already, again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Take what all tests are made of out of sight of the garbage collector, for good.

    It would look at half a million objects whenever a test asks what a client has left behind. A program that ends
    brings back what was frozen; the next test finds it frozen again.
    """

    def note() -> None:
        unfreeze()
        THAWED.append(True)

    unfreeze, gc.unfreeze = gc.unfreeze, note
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what cannot run here."""
    if THAWED:
        THAWED.clear()
        gc.freeze()
    if item.get_closest_marker("proxy") is not None and (NGINX is None or HAPROXY is None):
        pytest.skip("there is no nginx or no haproxy: as root on Debian `make test` installs both")
    wants_browser = item.get_closest_marker("browser") is not None
    if not wants_browser and item.get_closest_marker("node") is None:
        return
    if NODE is None:
        pytest.skip("there is no node: `make test` installs it, or put one on PATH")
    if not MODULES.is_dir():
        pytest.skip("phoenix.js has not been fetched: `make test` does that")
    if wants_browser and CHROMIUM is None:
        pytest.skip("there is no chromium: as root on Debian `make test` installs it")


@pytest.hookimpl(wrapper=True, specname="pytest_runtest_setup")
def pytest_watch_setup() -> Generator[None]:
    """Fail fixtures that hang."""
    with watched(Watch()):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """Fail a test that hangs."""
    with watched(Watch()):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None]:
    """Fail the end of a test that hangs, or that leaves logging disabled for all others."""
    with watched(Watch()):
        yield
    disabled = logging.root.manager.disable
    logging.disable(logging.NOTSET)
    if disabled:
        pytest.fail(f"logging stays disabled up to level {disabled}")


@pytest.fixture(scope="session", autouse=True)
def loop_of_asyncio() -> Iterator[None]:
    """What libraries get that ask asyncio for a loop where none runs: it would make one, and leave it open."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def still_clock() -> MockClock:
    """A clock that stands still until the test calls `jump`, for tests of time-outs with real sockets.

    What a socket carries takes a time of its own, by which a clock that jumps when all tasks wait would be confused.
    No time-out saves such a test from waiting for ever: it fails as one that hangs (`tests.hanging`).
    """
    return MockClock()


@pytest.fixture
def node() -> str:
    """The path of Node, for tests marked `node`."""
    assert NODE is not None, "mark this test with pytest.mark.node"
    return NODE


@pytest.fixture
def chromium() -> str:
    """The path of Chromium, for tests marked `browser`."""
    assert CHROMIUM is not None, "mark this test with pytest.mark.browser"
    return CHROMIUM
