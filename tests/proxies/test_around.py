"""What the page says of systemd, Docker, Kubernetes and Caddy, as far as it can be tried on this machine."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from phxactor import DrainOptions
from phxactor.runtime import STOP_TIMEOUT
from tests.demos.program import environment
from tests.patience import PATIENCE
from tests.proxies.page import PAGE, block, replaced

ANALYZE = shutil.which("systemd-analyze")
CADDY = shutil.which("caddy")
UNSHARE = shutil.which("unshare")


def program() -> str:
    """Return the program of the page."""
    return block("python", "endpoint = Endpoint(")


def longest_stop() -> float:
    """Return the seconds that a stop of the page's program may take at most."""
    limit = re.search(r"drain=DrainOptions\(limit=([0-9.]+)\)", program())
    notice = re.search(r"DrainOptions\(notice=([0-9.]+)\)", PAGE.read_text())
    assert limit is not None
    assert notice is not None
    assert float(limit[1]) == DrainOptions().limit
    return STOP_TIMEOUT + float(limit[1]) + float(notice[1])


@pytest.mark.skipif(ANALYZE is None, reason="there is no systemd-analyze")
def test_the_units_are_valid(tmp_path: Path) -> None:
    assert ANALYZE is not None
    service = replaced(
        block("ini", "[Service]"),
        ("/srv/shop/.venv/bin/phxactor serve", f"{sys.executable} -m phxactor.cli serve"),
        ("User=shop", "User=root"),
        ("WorkingDirectory=/srv/shop", f"WorkingDirectory={tmp_path}"),
        ("[Unit]", "[Unit]\nRequires=shop.socket"),
    )
    (tmp_path / "shop.service").write_text(service)
    (tmp_path / "shop.socket").write_text(block("ini", "[Socket]"))
    done = subprocess.run(
        [ANALYZE, "verify", tmp_path / "shop.service", tmp_path / "shop.socket"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    about_these = [line for line in done.stderr.splitlines() if "shop" in line]  # others on the machine may be wrong
    assert (done.returncode, about_these) == (0, [])


def test_whoever_stops_it_waits_for_the_drain() -> None:
    units, kubernetes = block("ini", "[Service]"), block("yaml", "livenessProbe")
    for seconds in (
        re.search(r"TimeoutStopSec=(\d+)", units),
        re.search(r"terminationGracePeriodSeconds: (\d+)", kubernetes),
    ):
        assert seconds is not None
        assert float(seconds[1]) >= longest_stop()
    assert {"/health"} == set(re.findall(r"path: (\S+)", kubernetes))
    assert {"4000"} == set(re.findall(r"[pP]ort: (\S+)", kubernetes))


@pytest.mark.socket
@pytest.mark.skipif(UNSHARE is None or os.geteuid() != 0, reason="only root may start a program as process 1")
def test_as_the_first_process_of_a_container_it_stops_by_sigterm(tmp_path: Path) -> None:
    """The kernel ignores a signal to process 1 unless the program handles it. The command is the Dockerfile's."""
    assert UNSHARE is not None
    command = re.search(r"^CMD (.*)$", block("docker", "CMD"), re.MULTILINE)
    assert command is not None
    words = json.loads(command[1])
    assert words[0] == "phxactor"
    (tmp_path / "shop.py").write_text(program())
    inside = [sys.executable, "-m", "phxactor.cli", *words[1:], "--port", "0"]
    process = subprocess.Popen(
        [UNSHARE, "--pid", "--fork", "--kill-child", *inside],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        with process.stdout as output:
            lines = []
            for line in output:
                lines.append(line)
                if "listening on http://0.0.0.0:" in line:
                    break
            assert "listening on" in "".join(lines), lines
            (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            status = Path(f"/proc/{child}/status").read_text()
            assert re.search(r"^NSpid:\t\d+\t1$", status, re.MULTILINE)
            os.kill(int(child), signal.SIGTERM)
            assert "stopping" in output.read()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait(PATIENCE)


@pytest.mark.skipif(CADDY is None, reason="there is no caddy")
def test_the_caddyfile_is_valid(tmp_path: Path) -> None:
    assert CADDY is not None
    (tmp_path / "Caddyfile").write_text(block("caddy", "reverse_proxy"))
    done = subprocess.run(
        [CADDY, "adapt", "--config", tmp_path / "Caddyfile"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "HOME": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr.lower(), done.stderr


def test_a_line_of_json_has_the_fields_of_a_failure() -> None:
    namespace: dict[str, object] = {}
    exec(block("python", "class JSONFormatter"), namespace)  # noqa: S102 - this is what the test is about
    formatter = namespace["JSONFormatter"]
    assert isinstance(formatter, type)
    record = logging.makeLogRecord({"name": "phxactor.http.handler_failed", "levelname": "ERROR", "msg": "failed"})
    record.telemetry = {"path": "/a", "exception": ValueError("x")}
    record.exc_text = "Traceback ..."
    assert json.loads(formatter().format(record)) == {
        "level": "ERROR",
        "event": "phxactor.http.handler_failed",
        "message": "failed",
        "path": "/a",
        "traceback": "Traceback ...",
    }
