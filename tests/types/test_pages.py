"""The code of the pages needs no cast and no `type: ignore`: mypy reads it as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.types.programs import USER_OPTIONS

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^# (\w+)\.py$", re.MULTILINE)
CODES = '# mypy: disable-error-code="top-level-await, import-untyped"'
"""A page is a program whose blocks may wait, and may use libraries that have no types."""


def program_of(page: str) -> str:
    """Join the blocks of a page, without what its files import of one another."""
    code = "\n".join(CODE.findall(page))
    for file in FILE.findall(code):
        code = re.sub(rf"^from {file} import .*$", "", code, flags=re.MULTILINE)
    return code


@pytest.mark.slow
def test_mypy_accepts_the_code_of_all_pages(tmp_path: Path) -> None:
    programs = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        code = program_of(page.read_text())
        assert "type: ignore" not in code
        assert "typing import cast" not in code
        if code and page.name not in ("README.md", "tutorial.md"):  # their blocks are programs of their own
            programs.append(tmp_path / f"page_{page.stem.replace('-', '_')}.py")
            programs[-1].write_text(f"{CODES}\n{code}")
    assert len(programs) > 5
    found = subprocess.run(
        [sys.executable, "-m", "mypy", *USER_OPTIONS, *map(str, programs)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.stdout.splitlines()[-1][:7], found.returncode) == ("Success", 0), found.stdout
