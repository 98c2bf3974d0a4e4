"""Real programs with workers: started, killed, reloaded, hung and stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import orjson
import pytest
import trio

from tests.conformance.client import Client, Closed
from tests.demos.program import command, environment, run, serving
from tests.patience import PATIENCE
from tests.workers.programs import SERVED, Served, ask, ends, served, until
from tests.workers.reloads import reloaded

pytestmark = [pytest.mark.socket, pytest.mark.slow]


@asynccontextmanager
async def connected(program: Served, number: int) -> AsyncIterator[list[Client]]:
    """Connect clients, which leave at the end of the block."""
    url = f"ws://127.0.0.1:{program.port}/socket/websocket?vsn=2.0.0"
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(await Client.open(url)) for _ in range(number)]


async def test_workers_share_a_port_evenly_one_secret_and_one_end(tmp_path: Path) -> None:
    with served(tmp_path) as program:
        answers = [ask(program.port).split() for _ in range(8)]
        assert {secret for _, _, secret in answers} == {answers[0][2]}
        pids = program.pids()
        assert len(pids) == 2
        assert {int(pid) for pid, _, _ in answers} <= pids
        async with connected(program, 40) as clients:
            await trio.to_thread.run_sync(
                until, lambda: sum(one.connections for one in program.state().workers) == 40, "40 are counted"
            )
            assert all(abs(one.connections - 20) <= 4 for one in program.state().workers)
            await trio.to_thread.run_sync(until, lambda: [one.nodes for one in program.state().workers] == [1, 1])
            assert "2 workers ready" in program.state().text()
            assert ask(program.port, "/health") == "ready\n"
            code, printed = await trio.to_thread.run_sync(program.program.stop, signal.SIGTERM)
            for client in clients:
                assert (await client.until_closed())[1] == Closed(1012)
            assert code == 0
            assert printed.count("listening on") == 1
            assert printed.count("stopped\n") == 1
            assert "ERROR" not in printed
            assert "Traceback" not in printed
            assert all(map(ends, pids))


async def test_one_that_is_killed_is_started_again_and_the_others_notice_nothing(tmp_path: Path) -> None:
    with served(tmp_path) as program:
        async with connected(program, 10) as clients:
            for client in clients:
                await client.ask(["1", "0", "room:1", "phx_join", {}])
            victim = min(program.pids())
            os.kill(victim, signal.SIGKILL)
            left = Counter[bool]()
            for client in clients:
                try:
                    answer = await client.ask(["1", "1", "room:1", "echo", {"a": 1}])
                except (trio.BrokenResourceError, AssertionError):
                    answer = None
                left[answer == ["1", "1", "room:1", "phx_reply", {"status": "ok", "response": {"a": 1}}]] += 1
            assert 3 <= left[True] <= 7, left
            await trio.to_thread.run_sync(program.says, "was killed by SIGKILL; it is started again")
            await trio.to_thread.run_sync(until, lambda: len(program.pids()) == 2, "both serve again")
            assert victim not in program.pids()
            assert sum(one.restarts for one in program.state().workers) == 1
            await trio.to_thread.run_sync(until, lambda: [one.nodes for one in program.state().workers] == [1, 1])


async def test_two_reloads_refuse_no_connection_and_leave_no_push_unanswered(tmp_path: Path) -> None:
    """Half of the clients stay, half come and go all the time. In the soak test there are 500, and ten reloads."""
    result = await reloaded(tmp_path, clients=30, reloads=2, every=0.05)
    result.check(stay=15, reloads=2)
    assert result.replies > 100


async def test_a_reload_that_fails_leaves_the_old_workers_and_shows_one_traceback(tmp_path: Path) -> None:
    with served(tmp_path) as program:
        before = program.pids()
        async with connected(program, 1) as (client,):
            program.change("VERSION = 1", "VERSION = 1 / 0")
            program.reload()
            program.says("the reload failed: worker 1 ended with exit code 1; the old workers stay")
            assert program.text.count("ZeroDivisionError") == 1
            assert await client.ask([None, "1", "phoenix", "heartbeat", {}]) is not None
            assert program.pids() == before
            program.change("VERSION = 1 / 0", "VERSION = 7")
            program.reload()
            program.says("new workers serve")
            assert ask(program.port).split()[1] == "7"
            assert (await client.until_closed())[1] == Closed(1012)


@pytest.mark.parametrize(
    ("text", "target", "words", "times"),
    [
        ("1 / 0", "served:endpoint", "ZeroDivisionError: division by zero", 1),
        (SERVED, "served:endpiont", "served has no 'endpiont'; did you mean 'endpoint'?", 1),
        (SERVED, "srved:endpoint", "there is no module 'srved'", 1),
        (
            "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
            "served:endpoint",
            "was killed by SIGKILL before",
            1,
        ),
    ],
)
def test_a_start_that_fails_is_told_once(text: str, target: str, words: str, times: int, tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text(text)
    code, out, err = run("serve", target, "--workers", "2", cwd=tmp_path)
    assert code == 1
    assert out == ""
    assert err.count(words) == times, err
    assert err.count("Traceback") == ("1 / 0" in text)
    assert len(err.splitlines()) == 1 or "1 / 0" in text


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text(SERVED)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = run("serve", "served:endpoint", "--workers", "2", "--port", str(port), cwd=tmp_path)
    assert code == 1
    assert err == f"the address http://127.0.0.1:{port} is in use\n"


def test_workers_stop_when_their_parent_is_killed(tmp_path: Path) -> None:
    with served(tmp_path) as program:
        pids = program.pids()
        program.program.process.kill()
        for pid in pids:
            until(lambda pid=pid: ends(pid), f"worker {pid} ends")  # type: ignore[misc]
        program.program.reader.join(PATIENCE)
        assert "the parent of this worker has ended; the worker stops" in program.text
        assert "Traceback" not in program.text


HANGING = """
import sys
import phxactor
from phxactor.workers import _hung, _parent

_hung.HUNG = _parent.HUNG = 2.0
sys.path.insert(0, ".")
from served import endpoint

if __name__ == "__main__":
    phxactor.run(endpoint, workers=2)
"""


async def test_one_that_hangs_is_killed_and_its_stack_is_logged(tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text(SERVED)
    (tmp_path / "hanging.py").write_text(HANGING)
    with serving(cwd=tmp_path, python="hanging.py") as started:
        program = Served(started, tmp_path)
        async with connected(program, 1) as (client,):
            await client.ask(["1", "0", "room:1", "phx_join", {}])
            await client.send(["1", "1", "room:1", "hang", {}])
            await trio.to_thread.run_sync(program.says, "gave no sign of life for 2 s and is killed")
            await trio.to_thread.run_sync(program.says, "in hang")
            await trio.to_thread.run_sync(program.says, "it is started again")
            await trio.to_thread.run_sync(until, lambda: len(program.pids()) == 2, "both serve again")
            code, _ = await trio.to_thread.run_sync(started.stop, signal.SIGINT)
            assert code == 0


def test_ctrl_c_in_a_terminal_is_for_the_parent(tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text(SERVED)
    process = subprocess.Popen(
        command("serve", "served:endpoint", "--workers", "2"),
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    with process, process.stderr as lines:
        next(line for line in lines if "listening on" in line)
        os.killpg(process.pid, signal.SIGINT)
        rest = lines.read()
        assert process.wait(PATIENCE) == 0
    assert "Traceback" not in rest
    assert "KeyboardInterrupt" not in rest


async def test_a_second_signal_kills_a_worker_that_cannot_stop(tmp_path: Path) -> None:
    with served(tmp_path) as program:
        process, pids = program.program.process, program.pids()
        async with connected(program, 1) as (client,):
            await client.ask(["1", "0", "room:1", "phx_join", {}])
            await client.send(["1", "1", "room:1", "hang", {}])
            await trio.to_thread.run_sync(program.says, "has let nothing else run")
            process.send_signal(signal.SIGINT)
            await trio.to_thread.run_sync(program.says, "has left")
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            assert await trio.to_thread.run_sync(process.wait, PATIENCE) == 1
            assert all(map(ends, pids))


def test_a_limit_of_connections_is_for_all_workers_together(tmp_path: Path) -> None:
    text = SERVED.replace('health="/health",', "max_connections=10,")
    with served(tmp_path, text=text) as program:
        held = [socket.create_connection(("127.0.0.1", program.port), PATIENCE) for _ in range(10)]
        until(lambda: sum(one.connections for one in program.state().workers) == 10, "ten are counted")
        with pytest.raises(AssertionError, match="503 Service"):
            ask(program.port)
        victim = max(program.state().workers, key=lambda one: one.connections).process
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in program.pids() and len(program.pids()) == 2, "both serve again")
        assert ask(program.port)
        for sock in held:
            sock.close()


def test_every_kind_of_place_is_shared(tmp_path: Path) -> None:
    text = SERVED + (
        "\nfrom phxactor import Application\n"
        "import socket\n"
        "sock = socket.create_server(('127.0.0.1', 0))\n"
        "other = Endpoint(name='other', routes=[get('/', who)], path='other.sock')\n"
        "third = Endpoint(name='third', routes=[get('/', who)], listen=[sock])\n"
        "application = Application(endpoints=[endpoint, other, third])\n"
    )
    (tmp_path / "served.py").write_text(text)
    with serving("serve", "served:application", "--workers", "2", cwd=tmp_path) as started:
        program = Served(started, tmp_path)
        program.says("listening on", 3)
        urls = [line.rpartition(" ")[2].strip() for line in program.text.splitlines() if "listening on" in line]
        ports = [int(url.rpartition(":")[2]) for url in urls if url.startswith("http")]
        assert len(ports) == 2
        for port in ports:
            assert {int(ask(port).split()[0]) for _ in range(4)} <= program.pids()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(tmp_path / "other.sock"))
            sock.sendall(b"GET / HTTP/1.0\r\nhost: localhost\r\n\r\n")
            assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert started.stop()[0] == 0
    assert not (tmp_path / "other.sock").exists()


def test_systemd_is_told_by_the_parent_and_a_reload_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "2000000")
        told: list[bytes] = []

        def hear(beginning: bytes) -> None:
            while not told or not told[-1].startswith(beginning):
                told.append(systemd.recv(1000))

        with served(tmp_path) as program:
            hear(b"READY=1\nSTATUS=2 workers")
            hear(b"WATCHDOG=1")
            program.reload()
            hear(b"RELOADING=1\nMONOTONIC_USEC=")
            hear(b"READY=1")
            assert program.program.stop(signal.SIGTERM)[0] == 0
            hear(b"STOPPING=1")
        words = [one.partition(b"=")[0] for one in told if one != b"WATCHDOG=1"]
        assert words == [b"READY", b"RELOADING", b"READY", b"STOPPING"]


async def test_a_change_of_a_file_brings_new_code_and_an_error_leaves_the_old(tmp_path: Path) -> None:
    with served(tmp_path, "--reload", workers=1) as program:
        async with connected(program, 1) as (client,):
            program.change("VERSION = 1", "VERSION = 1 / 0")
            await trio.to_thread.run_sync(program.says, "the reload failed")
            assert "reloading: served.py changed" in program.text
            assert program.text.count("ZeroDivisionError") == 1
            assert (await trio.to_thread.run_sync(ask, program.port)).split()[1] == "1"
            program.change("VERSION = 1 / 0", "VERSION = 2")
            await trio.to_thread.run_sync(program.says, "1 new worker serves")
            assert (await client.until_closed())[1] == Closed(1012)
            assert (await trio.to_thread.run_sync(ask, program.port)).split()[1] == "2"


def test_a_first_start_that_fails_waits_for_a_change_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "served.py"
    file.write_text(SERVED.replace("VERSION = 1", "VERSION = 1 / 0"))
    printed: list[str] = []
    with subprocess.Popen(
        command("serve", "served:endpoint", "--reload"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                printed.append(line)
                if "worker 1 ended with exit code 1; waiting for a change of a file" in line:
                    file.write_text(SERVED)
                elif "listening on" in line:
                    process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
    assert "".join(printed).count("ZeroDivisionError") == 1
    assert any("stopping 1 worker\n" in line for line in printed)


async def test_the_command_line_broadcasts_by_the_workers(tmp_path: Path) -> None:
    with served(tmp_path) as program:
        async with connected(program, 6) as clients:
            for client in clients:
                await client.ask(["1", "0", "room:1", "phx_join", {}])
            pid = str(program.program.process.pid)
            said = await trio.to_thread.run_sync(
                lambda: run("broadcast", "room:1", "news", '{"a": 1}', "--workers", pid, cwd=tmp_path)
            )
            assert said == (0, f"a worker of process {pid} broadcasts it\n", "")
            for client in clients:
                assert orjson.loads(str(await client.next())) == [None, None, "room:1", "news", {"a": 1}]
