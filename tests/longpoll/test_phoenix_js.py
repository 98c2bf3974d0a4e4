"""phoenix.js as released, by long polling: in Node all scenarios, in Chromium the fall-back."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import attrs
import pytest

from tests.conformance.server import Zoo, serve_zoo
from tests.conftest import MODULES
from tests.longpoll.proxy import proxying
from tests.patience import PATIENCE

VERSIONS = ("phoenix-1.7.14", "phoenix-1.8.9", "phoenix-1.8.16")

pytestmark = pytest.mark.socket


@attrs.frozen
class Place:
    """A zoo, and two ways to it on which a WebSocket does not come through."""

    zoo: Zoo
    refusing: str
    swallowing: str


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with ExitStack() as stack:
        zoo = stack.enter_context(serve_zoo(tmp_path_factory.mktemp("zoo")))
        refusing = stack.enter_context(proxying(zoo.url, "refuse"))
        swallowing = stack.enter_context(proxying(zoo.url, "swallow"))
        yield Place(zoo, refusing, swallowing)


@pytest.mark.node
@pytest.mark.parametrize("version", VERSIONS)
def test_phoenix_js_polls(version: str, place: Place, node: str) -> None:
    played = subprocess.run(
        [node, "phoenix.mjs", MODULES, version, place.zoo.url, place.refusing, place.swallowing],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
        check=False,
    )
    results = re.findall(r"^(not ok|ok) \d+ - (.*)$", played.stdout, re.MULTILINE)
    planned = re.search(r"^1\.\.(\d+)$", played.stdout, re.MULTILINE)
    assert planned, played.stderr
    assert [name for result, name in results if result == "not ok"] == [], played.stdout
    assert len(results) == int(planned[1]), played.stdout + played.stderr
    assert played.returncode == 0, played.stderr
