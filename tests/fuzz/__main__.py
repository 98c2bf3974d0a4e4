"""Fuzzes all targets for a bounded time, some at once: python -m tests.fuzz [SECONDS]. What it finds, it prints."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.fuzz.targets import TARGETS

SECONDS: Final = 60
HANG: Final = 10
"""Seconds that one input may take."""
MEMORY: Final = 1024
"""Megabytes that a fuzzer may have: its own tables, and what inputs leave behind."""
LONGEST: Final = 8192
"""Bytes of an input."""


def main(seconds: float) -> int:
    """Return 1 if something was found."""
    if importlib.util.find_spec("atheris") is None:
        _say("not fuzzed: there is no atheris here")
        return 0
    at_once = os.process_cpu_count() if hasattr(os, "process_cpu_count") else len(os.sched_getaffinity(0))
    each = max(1, int(seconds * (at_once or 1) / len(TARGETS)))
    with ThreadPoolExecutor(at_once) as pool:
        found = [*pool.map(lambda name: _fuzz(name, each), TARGETS)]
    return int(any(found))


def _fuzz(name: str, seconds: int) -> bool:
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(TARGETS[name].seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    options = {
        "max_total_time": seconds,
        "timeout": HANG,
        "rss_limit_mb": MEMORY,
        "max_len": LONGEST,
        "artifact_prefix": f"{folder}/",
        "print_final_stats": 1,
    }
    command = [sys.executable, "-m", "tests.fuzz.fuzzer", name, *(f"-{key}={value}" for key, value in options.items())]
    done = subprocess.run([*command, str(corpus)], capture_output=True, text=True, check=False)
    stats = dict(
        line.removeprefix("stat::").split(":") for line in done.stderr.splitlines() if line.startswith("stat::")
    )
    tried, memory = (stats.get(key, "?").strip() for key in ("number_of_executed_units", "peak_rss_mb"))
    if done.returncode == 0:
        shutil.rmtree(folder)
        _say(f"{name}: {tried} inputs in {seconds} s, {memory} MB")
        return False
    _say(f"{name}: FOUND, see {folder}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return True


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a program for people


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
