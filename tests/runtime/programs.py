"""Programs of their own, for tests of signals and of the end."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def program(text: str) -> Iterator[subprocess.Popen[str]]:
    """Start a program, and wait until it says that it is ready."""
    head = "import trio\nfrom phxactor.runtime import *\n"
    arguments = [sys.executable, "-c", head + textwrap.dedent(text)]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, stdout=pipe, stderr=pipe, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()
