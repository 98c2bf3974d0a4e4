"""The command line as a process of its own: started, read until it is ready, stopped as by Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from tests.forked import Started, start
from tests.patience import PATIENCE

ROOT: Final = Path(__file__).parents[2]
LISTENING: Final = "listening on "


def environment() -> dict[str, str]:
    """Say where phxactor is, also for a program that runs elsewhere; and how wide its lines may be."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "COLUMNS": "100", "NO_COLOR": "1"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "phxactor.cli", *arguments]


def run(*arguments: str, cwd: Path = ROOT) -> tuple[int, str, str]:
    """Run a command to its end; returns the exit code, and what it printed."""
    process = start("phxactor.cli", *arguments, cwd=cwd, environment=environment(), stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    late = threading.Timer(PATIENCE, process.kill)
    late.start()
    with process.stdout, process.stderr, ThreadPoolExecutor(1) as reader:
        errors = reader.submit(process.stderr.read)
        printed = process.stdout.read()
        code = process.wait(PATIENCE)
    late.cancel()
    late.join()
    return code, printed, errors.result()


@attrs.define
class Program:
    """A program that serves."""

    process: Started
    url: str
    lines: list[str]
    """What it has printed so far."""

    @property
    def port(self) -> str:
        return self.url.rpartition(":")[2]

    def stop(self, with_signal: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Stop it; returns the exit code, and all that it printed."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        code = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        return code, "".join(self.lines)

    reader: threading.Thread = attrs.field(init=False)

    @reader.default
    def _start_reader(self) -> threading.Thread:
        reader = threading.Thread(target=self._read, daemon=True)
        reader.start()
        return reader

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stdout:
            self.lines.extend(stdout)


@contextmanager
def serving(*arguments: str, cwd: Path = ROOT, python: str | None = None) -> Iterator[Program]:
    """Start a command that serves, or a `python` file, and wait until it listens; stop it afterwards."""
    process: Started
    if python is None:
        process = start("phxactor.cli", *arguments, cwd=cwd, environment=environment(), stderr=subprocess.STDOUT)
    elif python == "-m":
        process = start(*arguments, cwd=cwd, environment=environment(), stderr=subprocess.STDOUT)
    else:
        process = subprocess.Popen(
            [sys.executable, python, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=cwd,
            env=environment(),
        )
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if LISTENING in line:
            break
    else:
        process.wait(PATIENCE)
        process.stdout.close()
        raise AssertionError(f"{arguments} ended with {process.returncode}: {''.join(lines)}")
    program = Program(process, lines[-1].partition(LISTENING)[2].strip(), lines)
    try:
        yield program
    finally:
        if process.poll() is None:
            try:
                program.stop()
            finally:
                process.kill()
