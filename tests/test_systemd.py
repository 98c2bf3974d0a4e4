"""Sockets from systemd, by its own `systemd-socket-activate` where it is there, and by an environment made here."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from phxactor import systemd
from tests.demos.program import ROOT, environment
from tests.patience import PATIENCE

PROGRAM = str(ROOT / "tests" / "endpoint" / "activated.py")
ACTIVATE = shutil.which("systemd-socket-activate")


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is a program of its own."""
    monkeypatch.setattr(systemd._passed, "sockets", None)  # noqa: SLF001
    for name in systemd.VARIABLES:
        monkeypatch.delenv(name, raising=False)


def connect(port: int, until: float) -> socket.socket:
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), PATIENCE)
        except ConnectionRefusedError:
            assert time.monotonic() < until
            time.sleep(0.01)


def ask(port: int, path: str) -> str:
    """Ask, as soon as the program listens; return the body."""
    with connect(port, time.monotonic() + PATIENCE) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".encode())
        answer = b""
        while some := sock.recv(65536):
            answer += some
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), answer
    return body.decode()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port


@pytest.mark.socket
@pytest.mark.slow
@pytest.mark.skipif(ACTIVATE is None, reason="there is no systemd-socket-activate: it is in Debian's package systemd")
def test_a_program_that_systemd_starts_at_the_first_connection() -> None:
    """It listens on what it was given; what it starts sees neither the variables nor the socket."""
    assert ACTIVATE is not None
    port = free_port()
    command = [ACTIVATE, "--listen", f"127.0.0.1:{port}", "--fdname", "web"]
    command += [f"--setenv={name}={value}" for name, value in environment().items() if name == "PYTHONPATH"]
    with subprocess.Popen(
        [*command, sys.executable, PROGRAM, "web"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert json.loads(ask(port, "/left")) == [[], [], False]
        finally:
            process.send_signal(signal.SIGTERM)
            printed, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, printed
        assert f"listening on http://127.0.0.1:{port}" in printed


@pytest.mark.socket
def test_several_names() -> None:
    """A shell passes two sockets as systemd does: the program takes the one that it names, and refuses another name."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        script = (
            f"exec 3<&{one.fileno()} 4<&{two.fileno()}; "
            'export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=admin:web; exec "$@"'
        )
        started = {
            name: subprocess.Popen(
                ["bash", "-c", script, "bash", sys.executable, PROGRAM, name],
                pass_fds=[one.fileno(), two.fileno()],
                stderr=subprocess.PIPE,
                text=True,
                env=environment(),
            )
            for name in ("web", "other")
        }
        try:
            ask(two.getsockname()[1], "/left")
        finally:
            started["web"].send_signal(signal.SIGTERM)
            _, web = started["web"].communicate(timeout=PATIENCE)
            _, other = started["other"].communicate(timeout=PATIENCE)
    assert web.count("listening on ") == 1
    assert "systemd has passed no socket with the name 'other'; the names are: admin, web" in other


def test_without_systemd_there_are_none() -> None:
    assert systemd.sockets() == []
    assert systemd.sockets("web") == []


def test_what_is_meant_for_another_program_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getpid() + 1))
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert systemd.sockets() == []
    assert "LISTEN_FDS" not in os.environ


@pytest.mark.parametrize(
    ("fds", "names", "error"),
    [
        ("x", None, "LISTEN_PID and LISTEN_FDS must be numbers"),
        ("-1", None, "must be numbers"),
        ("2", "web", "LISTEN_FDNAMES has 1 names for 2 descriptors"),
    ],
)
def test_malformed(fds: str, names: str | None, error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", fds)
    if names is not None:
        monkeypatch.setenv("LISTEN_FDNAMES", names)
    with pytest.raises(ValueError, match=error):
        systemd.sockets()


def test_a_descriptor_that_is_no_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "file").open("w") as file:
        monkeypatch.setattr(systemd, "FIRST", file.fileno())
        monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
        monkeypatch.setenv("LISTEN_FDS", "1")
        with pytest.raises(ValueError, match=r"from systemd \(unknown\) is no socket"):
            systemd.sockets()
