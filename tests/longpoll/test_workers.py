"""phoenix.js by long polling against real workers: its requests land on any of them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.conformance.server import serve_zoo
from tests.conftest import MODULES
from tests.patience import PATIENCE

pytestmark = [pytest.mark.socket, pytest.mark.node, pytest.mark.slow]

NUMBER = 1000


def test_a_thousand_exchanges_with_four_workers_one_of_which_is_killed(node: str, tmp_path: Path) -> None:
    """None is lost, none comes twice; after 410 phoenix.js opens a new session and joins again."""
    with serve_zoo(tmp_path, "--workers", "4") as zoo:
        played = subprocess.run(
            [node, "exchanges.mjs", MODULES, "phoenix-1.8.16", zoo.url, str(NUMBER)],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=4 * PATIENCE,
            check=False,
        )
        assert played.returncode == 0, played.stdout + played.stderr + zoo.log.read_text()
    found: dict[str, Any] = orjson.loads(played.stdout)
    assert found["replies"] == [["ok", n] for n in range(NUMBER)]
    assert found["later"] == [["ok", n] for n in range(NUMBER, NUMBER + 50)]
    assert found["pushed"] == [*range(NUMBER + 50)]
    assert found["before"] == NUMBER
    assert found["errors"] >= 1
    assert found["moved"]
    assert found["served"] > 1
    assert set(found["statuses"]) <= {"200", "204", "410"}
