"""Programs of the tests, forked from one that has imported all: each starts at once, as `python -m` would start it.

Hundreds of programs are started, and what they import is most of the work that it is to run them. There are still
tests that start Python itself: those that measure an import, or are about the start of a program.
"""

from __future__ import annotations

import atexit
import os
import resource
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import IO, Final, TypeAlias

import attrs
import orjson

ROOT: Final = Path(__file__).parents[1]
_LOCK: Final = threading.Lock()


@attrs.define(eq=False)
class Forked:
    """A program that was forked, with what the tests use of `subprocess.Popen`."""

    pid: int
    stdout: IO[str]
    stderr: IO[str] | None
    _status: IO[bytes]
    returncode: int | None = None

    def poll(self) -> int | None:
        """Return how it has ended; None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], seconds)[0]:
            self.returncode = int(self._status.readline())
            self._status.close()
        return self.returncode


Started: TypeAlias = "Forked | subprocess.Popen[str]"


@cache
def _template(_process: int) -> subprocess.Popen[bytes]:
    template = subprocess.Popen(
        [sys.executable, "-m", "tests.template"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    atexit.register(_end, template)
    return template


def _end(template: subprocess.Popen[bytes]) -> None:
    assert template.stdin is not None
    assert template.stdout is not None
    template.stdin.close()
    template.wait()
    template.stdout.close()


def start(
    module: str,
    *arguments: str,
    cwd: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    stderr: IO[str] | int | None = None,
) -> Started:
    """Start a module as `python -m` does, with its output and, if wanted, its errors in pipes.

    Where there is no /proc, and where it is measured which lines run, Python is started.
    """
    if sys.platform != "linux" or "COVERAGE_PROCESS_CONFIG" in os.environ:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    pipes = [os.pipe() for _ in range(3)]
    (stdout, output), (status, told), (read, errors) = pipes
    match stderr:
        case None:
            wanted = 2
        case subprocess.PIPE:
            wanted = errors
        case subprocess.STDOUT:
            wanted = output
        case subprocess.DEVNULL:
            os.close(errors)
            wanted = errors = os.open(os.devnull, os.O_WRONLY)
        case int():
            wanted = stderr
        case file:
            wanted = file.fileno()
    request = {
        "module": module,
        "arguments": arguments,
        "folder": str(cwd),
        "environment": dict(os.environ if environment is None else environment),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "asker": os.getpid(),
        "output": output,
        "errors": wanted,
        "status": told,
    }
    with _LOCK:
        template = _template(os.getpid())
        assert template.stdin is not None
        assert template.stdout is not None
        template.stdin.write(orjson.dumps(request) + b"\n")
        template.stdin.flush()
        pid = int(template.stdout.readline())
    for descriptor in (output, told, errors):
        os.close(descriptor)
    if stderr != subprocess.PIPE:
        os.close(read)
    return Forked(
        pid,
        open(stdout),  # noqa: PTH123 - whoever has started it closes it
        open(read) if stderr == subprocess.PIPE else None,  # noqa: PTH123
        open(status, "rb", buffering=0),  # noqa: PTH123
    )
