"""Runs a server, and writes down its garbage collections: a line of when (`time.perf_counter_ns`) and how many ms.

python -m benchmarks.servers.with_pauses pauses.txt tests.conformance.zoo --port=4200
"""

from __future__ import annotations

import gc
import runpy
import sys
import time
from pathlib import Path


class Pauses:
    """Listens to the garbage collector."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", buffering=1)
        self._began = 0

    def __call__(self, phase: str, _: dict[str, int]) -> None:
        """Take what `gc.callbacks` says."""
        now = time.perf_counter_ns()
        if phase == "start":
            self._began = now
        else:
            self._file.write(f"{self._began} {(now - self._began) / 1e6:.3f}\n")


def main() -> None:
    """Run the module that is named second, with the rest of the arguments."""
    _, path, module, *arguments = sys.argv
    gc.callbacks.append(Pauses(Path(path)))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
