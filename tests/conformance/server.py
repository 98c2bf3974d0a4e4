"""The zoo as a process of its own, as clients in any language find it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from tests.forked import Started, start
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]


@attrs.frozen
class Zoo:
    """A zoo that runs."""

    url: str
    process: Started
    log: Path
    """What it has written to its standard error."""


@contextmanager
def serve_zoo(
    folder: Path, *arguments: str, module: str = "tests.conformance.zoo", port: str = "0", name: str = "zoo"
) -> Iterator[Zoo]:
    """Start the zoo, on a free port by default; afterwards it must end in order, and by itself."""
    log = folder / f"{name}.log"
    with log.open("w") as errors:
        process = start(module, "--port", port, *arguments, stderr=errors)
    assert process.stdout is not None
    with process.stdout:
        try:
            url = process.stdout.readline().strip()
            assert url, f"the zoo has not started: {log.read_text()}"
            yield Zoo(url, process, log)
            assert process.poll() in (None, 0), f"the zoo has ended by itself: {log.read_text()}"
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()
    assert process.returncode == 0, log.read_text()
