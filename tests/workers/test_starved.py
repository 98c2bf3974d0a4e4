"""Workers on a machine that has run out of something: disk, or descriptors."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.demos.program import command, environment
from tests.patience import PATIENCE
from tests.workers.programs import SERVED, ask, served, until

pytestmark = [pytest.mark.socket, pytest.mark.slow]


def answer(port: int) -> list[str]:
    """Return who answers: process, version and secret. A worker that is just killed gives none."""
    try:
        return ask(port).split()
    except OSError:
        return ["", "", ""]


def test_with_a_full_disk_behind_all_output_it_serves_reloads_and_stops(tmp_path: Path) -> None:
    """Each line of the log fails with ENOSPC, in the parent and in the workers."""
    (tmp_path / "served.py").write_text(SERVED)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    with (
        Path("/dev/full").open("wb") as full,
        subprocess.Popen(
            command("serve", "served:endpoint", "--workers", "2", "--port", str(port), "--access-log"),
            stdout=full,
            stderr=full,
            cwd=tmp_path,
            env=environment(),
        ) as process,
    ):
        try:
            until(lambda: answer(port)[0], "it serves")
            victim = answer(port)[0]
            os.kill(int(victim), signal.SIGKILL)
            until(lambda: answer(port)[0] not in {"", victim}, "it goes on")
            (tmp_path / "served.py").write_text(SERVED.replace("VERSION = 1", "VERSION = 2"))
            process.send_signal(signal.SIGHUP)
            until(lambda: answer(port)[1] == "2", "it has reloaded")
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


def test_without_descriptors_a_worker_says_so_once_and_the_other_serves(tmp_path: Path) -> None:
    """The clients that wait are the other worker's, since both accept from the same socket."""
    with served(tmp_path) as program:
        starved = min(program.pids())
        soft, hard = resource.prlimit(starved, resource.RLIMIT_NOFILE)
        resource.prlimit(starved, resource.RLIMIT_NOFILE, (3, hard))
        end = time.monotonic() + 3
        while time.monotonic() < end:
            assert int(ask(program.port).split()[0]) != starved
        program.says("cannot accept a connection: [Errno 24] Too many open files")
        resource.prlimit(starved, resource.RLIMIT_NOFILE, (soft, hard))
        until(lambda: int(ask(program.port).split()[0]) == starved, "it serves again")
        assert program.text.count("Too many open files") == 1
        assert "Traceback" not in program.text
        assert program.program.stop(signal.SIGTERM)[0] == 0
