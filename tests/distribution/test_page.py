"""docs/distribution.md: its program prints what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.demos.program import environment
from tests.patience import PATIENCE

PAGE: Final = (Path(__file__).parents[2] / "docs" / "distribution.md").read_text()


@pytest.mark.slow
def test_the_program_prints_what_it_says(tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert code.endswith("# prints 42, then noconnection\n")
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=tmp_path,
        env=environment(),
        check=True,
    )
    assert done.stdout == "42\nnoconnection\n"
