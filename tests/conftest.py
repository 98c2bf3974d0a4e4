"""What the tests need of the machine, beside Python: Node for `node`, Chromium too for `browser`.

A test whose marker names what is missing is skipped, all of them with one line; `make test` installs both where it can.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# An example may take long on a machine that has other things to do: how long is measured in benchmarks, never here.
settings.register_profile("phxactor", deadline=None)
settings.load_profile("phxactor")

MODULES = Path(__file__).parent / "javascript" / "node_modules"
# Beside the interpreter: `make` puts a Node there where the machine has none, and not everybody activates environments.
NODE = shutil.which("node", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
CHROMIUM = shutil.which("chromium")

if NODE is not None:
    os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", NODE)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what cannot run here."""
    wants_browser = item.get_closest_marker("browser") is not None
    if not wants_browser and item.get_closest_marker("node") is None:
        return
    if NODE is None:
        pytest.skip("there is no node: `make test` installs it, or put one on PATH")
    if not MODULES.is_dir():
        pytest.skip("phoenix.js has not been fetched: `make test` does that")
    if wants_browser and CHROMIUM is None:
        pytest.skip("there is no chromium: as root on Debian `make test` installs it")


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
