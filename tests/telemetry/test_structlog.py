"""The recipe of docs/logging.md, in a program of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.demos.program import ROOT, environment
from tests.patience import PATIENCE
from tests.test_readme import blocks

MORE = """
try:
    {}["body"]
except KeyError:
    log.exception("failed")
log.info("plain")
from phxactor.runtime import events
events.timer_failed.emit(exception=RuntimeError("told"))
"""


@pytest.mark.slow
def test_its_lines_and_those_of_phxactor_are_of_one_form() -> None:
    page = [block.text for block in blocks(ROOT / "docs" / "logging.md")]
    kept = [text for text in page if "JSONFormatter" in text or "structlog" in text]
    assert len(kept) == 2
    program = "import logging\nfrom phxactor.telemetry import NonBlockingHandler\n" + "".join(kept) + MORE
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, env=environment(), check=True
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["logger"], line["level"], line["service"]) for line in lines] == [
        ("shop", "INFO", "shop"), ("shop", "ERROR", "shop"), ("shop", "INFO", "shop"),
        ("phxactor.timer.failed", "ERROR", "shop"),
    ]  # fmt: skip
    assert lines[0]["message"] == "paid"
    assert lines[0]["fields"] == {"topic": "room:42", "order": 7}
    assert lines[1]["exception"]["type"] == "KeyError"
    assert "fields" in lines[2]
    assert lines[3]["exception"]["message"] == "told"
