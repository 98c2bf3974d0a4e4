"""docs/cluster.md: its program on two workers and Redis, its unit, and its container."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from redis import Redis

from phxactor.client import connect
from phxactor.emitter import Emitter
from tests.demos.program import ROOT, environment, serving
from tests.emitter.listener import SECRET
from tests.libraries import servers
from tests.patience import PATIENCE
from tests.proxies.page import replaced
from tests.test_readme import blocks

PAGE = ROOT / "docs" / "cluster.md"
ANALYZE = shutil.which("systemd-analyze")
UNSHARE = shutil.which("unshare")
NOTIFY_RELOAD = 253
"""The first systemd that knows `Type=notify-reload`."""


def block(language: str) -> str:
    (found,) = [one.text for one in blocks(PAGE) if one.language == language]
    return found


def nodes_that_listen(redis: Redis) -> int:
    ((_, count),) = redis.pubsub_numsub("shop:t:endpoint.pubsub:room:1")
    assert isinstance(count, int)
    return count


@pytest.mark.redis
@pytest.mark.slow
async def test_the_program_of_the_page_serves_by_workers_and_an_emitter_reaches_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each client gets it once, though the workers hear one another by lines and by Redis."""
    (tmp_path / "shop.py").write_text(block("python"))
    monkeypatch.setenv("SECRET_KEY_BASE", SECRET)
    with servers.redis_server() as port:
        url = f"redis://127.0.0.1:{port}"
        monkeypatch.setenv("REDIS_URL", url)
        with (
            serving("serve", "shop:application", "--workers", "2", "--port", "0", cwd=tmp_path) as program,
            Emitter(url, prefix="shop", secret=SECRET) as emitter,
            Redis(port=port) as redis,
        ):
            heard: list[tuple[int, object]] = []
            joined = 0

            async def listen(number: int) -> None:
                nonlocal joined
                async with connect(f"{program.url.replace('http', 'ws')}/socket/websocket") as socket:
                    room = await socket.join("room:1")
                    joined += 1
                    async for message in room:
                        heard.append((number, message.payload))
                        if message.payload == {"n": 3}:
                            break

            with trio.fail_after(PATIENCE):
                async with trio.open_nursery() as nursery:
                    clients = 0
                    while nodes_that_listen(redis) < 2:  # the kernel decides which worker gets a client
                        nursery.start_soon(listen, clients)
                        clients += 1
                        while joined < clients:  # noqa: ASYNC110 - the clients are of this test
                            await trio.sleep(0.01)
                    for number in range(1, 4):
                        assert emitter.broadcast("room:1", "news", {"n": number}) == 2
            assert sorted(heard, key=lambda one: one[0]) == [
                (number, {"n": n}) for number in range(clients) for n in (1, 2, 3)
            ]


def complaints(unit: str, folder: Path) -> list[str]:
    """Return what systemd has to say of a unit."""
    assert ANALYZE is not None
    unit = replaced(
        unit,
        ("/srv/shop/.venv/bin/phxactor serve", f"{sys.executable} -m phxactor.cli serve"),
        ("User=shop", "User=root"),
        ("WorkingDirectory=/srv/shop", f"WorkingDirectory={folder}"),
    )
    (folder / "shop.service").write_text(unit)
    done = subprocess.run(
        [ANALYZE, "verify", folder / "shop.service"], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0
    return [line for line in done.stderr.splitlines() if "shop" in line]  # others on the machine may be wrong


@pytest.mark.skipif(ANALYZE is None, reason="there is no systemd-analyze")
def test_the_unit_is_valid_also_in_the_form_for_an_older_systemd(tmp_path: Path) -> None:
    assert ANALYZE is not None
    version = subprocess.run([ANALYZE, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    found = complaints(block("ini"), tmp_path)
    if int(re.match(r"\d+", version)[0]) < NOTIFY_RELOAD:  # type: ignore[index]
        assert len(found) == 1
        assert "Failed to parse service type, ignoring: notify-reload" in found[0]
    else:
        assert found == []
    older = re.search(r"`(Type=notify)`, with the line `(ExecReload=[^`]*)`", PAGE.read_text())
    assert older is not None
    assert complaints(replaced(block("ini"), ("Type=notify-reload", "\n".join(older.groups()))), tmp_path) == []


def test_the_unit_is_that_of_one_process_with_what_workers_need() -> None:
    (one,) = [text.text for text in blocks(ROOT / "docs" / "deploying.md") if "[Service]" in text.text]
    assert {*block("ini").splitlines()} ^ {*one.splitlines()} == {
        "EnvironmentFile=/etc/shop.env",
        "ExecStart=/srv/shop/.venv/bin/phxactor serve shop:endpoint",
        "ExecStart=/srv/shop/.venv/bin/phxactor serve shop:application --workers auto",
        "KillMode=mixed",
        "Type=notify",
        "Type=notify-reload",
    }


@pytest.mark.socket
@pytest.mark.slow
@pytest.mark.skipif(UNSHARE is None or os.geteuid() != 0, reason="only root may start a program as process 1")
def test_as_the_first_process_of_a_container_the_parent_stops_its_workers(tmp_path: Path) -> None:
    """The command is the Dockerfile's. Redis is away, which keeps nobody from being served."""
    assert UNSHARE is not None
    command = re.search(r"^CMD (.*)$", block("docker"), re.MULTILINE)
    assert command is not None
    words = json.loads(command[1])
    assert words[0] == "phxactor"
    (tmp_path / "shop.py").write_text(block("python"))
    inside = [sys.executable, "-m", "phxactor.cli", *words[1:], "--port", "0"]
    process = subprocess.Popen(
        [UNSHARE, "--pid", "--fork", "--kill-child", *inside],
        cwd=tmp_path,
        env={**environment(), "REDIS_URL": "redis://127.0.0.1:1", "SECRET_KEY_BASE": SECRET},
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
            assert re.search(r"^NSpid:\t\d+\t1$", Path(f"/proc/{child}/status").read_text(), re.MULTILINE)
            os.kill(int(child), signal.SIGTERM)
            rest = output.read()
        assert process.wait(PATIENCE) == 0, rest
        assert "Traceback" not in "".join(lines) + rest
    finally:
        process.kill()
        process.wait(PATIENCE)
