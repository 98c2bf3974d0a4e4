"""Private parts of trio: those that we know are there, and a trio without them is refused in one line."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest
import trio

from phxactor.runtime import private
from phxactor.runtime._trio_internals import KNOWN
from tests.conformance.server import ROOT


@pytest.mark.parametrize(
    ("removed", "imported", "missing"),
    [
        ("CancelStatus.parent", "phxactor.runtime", "trio._core._run has no CancelStatus.parent"),
        ("Task._runner", "phxactor.endpoint", "trio._core._run has no Task._runner"),
        ("_ALLOW_DETERMINISTIC_SCHEDULING", "phxactor.testing.schedule", "has no _ALLOW_DETERMINISTIC_SCHEDULING"),
        ("_r", "phxactor.testing.schedule", "trio._core._run has no _r.shuffle"),
    ],
)
def test_a_trio_without_a_part_is_refused_in_one_line(removed: str, imported: str, missing: str) -> None:
    program = f"import trio\ndel trio._core._run.{removed}\nimport {imported}\n"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"ImportError: phxactor does not fit trio {trio.__version__}: ")
    assert missing in line
    assert line.endswith(f"It is known to fit trio {', '.join(KNOWN)}")


def test_a_module_that_has_gone_is_named() -> None:
    with pytest.raises(ImportError, match=r"it has no trio\._core\._gone"):
        private("_gone")


def test_the_versions_that_are_known_are_those_that_are_allowed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest, newest = (tuple(map(int, version.split("."))) for version in (KNOWN[0], KNOWN[-1]))
    after = f"{newest[0]}.{newest[1] + 1}"
    assert f"trio>={oldest[0]}.{oldest[1]},<{after}" in project["dependencies"]
    assert ".".join(trio.__version__.split(".")[:2]) in KNOWN
