"""phoenix.js as released, in Node, against the zoo: one process for each version plays all scenarios."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.server import Zoo, serve_zoo
from tests.patience import PATIENCE

FOLDER = Path(__file__).parent / "javascript"
VERSIONS = ("phoenix-1.7.14", "phoenix-1.8.9", "phoenix-1.8.16")

pytestmark = [pytest.mark.node, pytest.mark.socket]


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    """A zoo for all versions."""
    with serve_zoo(tmp_path_factory.mktemp("zoo")) as running:
        yield running


@pytest.mark.parametrize("version", VERSIONS)
def test_phoenix_js_plays_all_scenarios(version: str, zoo: Zoo, node: str) -> None:
    play(version, zoo, node)


def test_phoenix_js_plays_all_scenarios_with_two_workers(tmp_path: Path, node: str) -> None:
    with serve_zoo(tmp_path, "--workers", "2") as zoo:
        play(VERSIONS[-1], zoo, node)


def play(version: str, zoo: Zoo, node: str) -> None:
    played = subprocess.run(
        [node, "scenarios.mjs", version, zoo.url],
        cwd=FOLDER,
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
