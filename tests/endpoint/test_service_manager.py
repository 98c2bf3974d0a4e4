"""What systemd is told of a program, by a socket as its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from phxactor.endpoint import ServiceManager
from tests.demos.program import environment
from tests.patience import PATIENCE

PROGRAM = "import phxactor; phxactor.run(phxactor.Endpoint(port=0))"


@contextmanager
def managed(address: str, named: str, **variables: str) -> Iterator[tuple[socket.socket, subprocess.Popen[bytes]]]:
    """Start a program as systemd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(PATIENCE)
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env={**environment(), "NOTIFY_SOCKET": named, **variables},
            stderr=subprocess.DEVNULL,
        )
        try:
            yield manager, process
        finally:
            process.kill()
            process.wait(PATIENCE)


@pytest.mark.socket
@pytest.mark.parametrize("abstract", [False, True])
def test_a_program_is_ready_alive_and_stops(abstract: bool, tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    address, named = (f"\0{path}", f"@{path}") if abstract else (path, path)
    with managed(address, named, WATCHDOG_USEC="200000") as (manager, process):
        assert manager.recv(100) == b"READY=1"
        for _ in range(3):
            assert manager.recv(100) == b"WATCHDOG=1"
        process.send_signal(signal.SIGTERM)
        told = manager.recv(100)
        while told == b"WATCHDOG=1":
            told = manager.recv(100)
        assert told == b"STOPPING=1"
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ServiceManager(None, None)),
        ({"NOTIFY_SOCKET": ""}, ServiceManager(None, None)),
        ({"WATCHDOG_USEC": "1000000"}, ServiceManager(None, None)),
        ({"NOTIFY_SOCKET": "/run/a"}, ServiceManager("/run/a", None)),
        ({"NOTIFY_SOCKET": "@a"}, ServiceManager("\0a", None)),
        ({"NOTIFY_SOCKET": "/run/a", "WATCHDOG_USEC": "3000000"}, ServiceManager("/run/a", 1.5)),
        ({"NOTIFY_SOCKET": "/run/a", "WATCHDOG_USEC": "0"}, ServiceManager("/run/a", None)),
        ({"NOTIFY_SOCKET": "/run/a", "WATCHDOG_USEC": "x"}, ServiceManager("/run/a", None)),
        ({"NOTIFY_SOCKET": "/run/a", "WATCHDOG_USEC": "2", "WATCHDOG_PID": "1"}, ServiceManager("/run/a", None)),
        (
            {"NOTIFY_SOCKET": "/run/a", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())},
            ServiceManager("/run/a", 1.0),
        ),
    ],
)
def test_what_the_environment_says(variables: dict[str, str], expected: ServiceManager) -> None:
    assert ServiceManager.of(variables) == expected


def test_a_manager_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    ServiceManager(str(tmp_path / "none"), None).tell(b"READY=1")
    ServiceManager("x" * 200, None).tell(b"READY=1")
