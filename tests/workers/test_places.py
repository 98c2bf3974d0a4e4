"""Where workers listen, and what they read, in every way that a program can be told: each works as in one process."""

from __future__ import annotations

import signal
import socket
import ssl
from pathlib import Path

import pytest

from tests.certificates import CERTIFICATE, CLIENT
from tests.demos.program import serving
from tests.patience import PATIENCE
from tests.workers.programs import SERVED, Served, ask, served, until

pytestmark = [pytest.mark.socket, pytest.mark.slow]

SECRETS = ("the first secret of a test, which is long enough", "the second secret of a test, which is long enough")


def answer(sock: socket.socket) -> str:
    """Ask by a connection that is there; return the answer."""
    with sock:
        sock.settimeout(PATIENCE)
        sock.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        found = b""
        while some := sock.recv(65536):
            found += some
    return found.decode()


def test_certificates_of_the_command_line(tmp_path: Path) -> None:
    """Each worker reads them, and a reload reads them anew."""
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    CERTIFICATE.cert_chain_pems[0].write_to_path(chain)
    CERTIFICATE.private_key_pem.write_to_path(key)
    with served(tmp_path, "--tls", str(chain), str(key), workers=1) as program:
        assert program.program.url.startswith("https://")
        for generation in (1, 2):
            plain = socket.create_connection(("127.0.0.1", int(program.program.port)), PATIENCE)
            found = answer(CLIENT.wrap_socket(plain, server_hostname="app.test"))
            assert found.startswith("HTTP/1.1 200 ")
            if generation == 1:
                program.reload()
                program.says("new worker serves")
        chain.write_text("no certificate")
        program.reload()
        program.says("the reload failed")
        assert program.text.count("are no certificate and private key in PEM") == 1
        plain = socket.create_connection(("127.0.0.1", int(program.program.port)), PATIENCE)
        with CLIENT.wrap_socket(plain, server_hostname="app.test") as encrypted:
            assert isinstance(encrypted, ssl.SSLSocket)


def test_a_unix_socket_of_the_command_line(tmp_path: Path) -> None:
    """Its file is there as long as the parent, also through a reload."""
    file = tmp_path / "s.sock"
    with served(tmp_path, "--unix", str(file), workers=1) as program:
        for generation in (1, 2):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(str(file))
            assert answer(sock).startswith("HTTP/1.1 200 ")
            if generation == 1:
                program.reload()
                program.says("new worker serves")
                program.says("has left", 1)
        assert program.program.stop(signal.SIGTERM)[0] == 0
        assert not file.exists()


def test_the_env_file_is_read_by_each_worker_and_anew_at_a_reload(tmp_path: Path) -> None:
    """With the platform's PORT, and a secret that changes between the start and the reload: new workers have it."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    settings = tmp_path / "settings.env"
    settings.write_text(f"PORT={port}\nSECRET_KEY_BASE={SECRETS[0]}\n")
    text = SERVED.replace("port=0,", 'port=0, secret_key_base=os.environ["SECRET_KEY_BASE"],')
    with served(tmp_path, "--env-file", str(settings), text=text) as program:
        assert program.port == port
        assert ask(port).split(" ", 2)[2] == SECRETS[0]
        settings.write_text(f"PORT={port}\nSECRET_KEY_BASE={SECRETS[1]}\n")
        program.reload()
        program.says("has left", 2)
        assert {ask(port).split(" ", 2)[2] for _ in range(4)} == {SECRETS[1]}
        settings.write_text(f"PORT={port}\nSECRET_KEY_BASE=short\n")
        program.reload()
        program.says("the reload failed")
        assert ask(port).split(" ", 2)[2] == SECRETS[1]
        assert "=short" not in program.text


def test_a_secret_that_is_not_given_outlives_a_reload_and_the_end_of_a_worker(tmp_path: Path) -> None:
    """So tokens and cookies stay good; only a new start of the parent makes another."""
    with served(tmp_path) as program:
        secret = ask(program.port).split()[2]
        program.reload()
        program.says("has left", 2)
        until(lambda: len(program.pids()) == 2, "both serve")
        assert {ask(program.port).split()[2] for _ in range(4)} == {secret}


ACTIVATE = """
import os, socket, sys

sock = socket.create_server(("127.0.0.1", 0))
os.dup2(sock.fileno(), 3)
os.set_inheritable(3, True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}
os.execv(sys.executable, [sys.executable, "-m", "phxactor.cli", *sys.argv[1:]])
"""


def test_a_socket_of_systemd_is_that_of_all_workers_and_stays_through_a_reload(tmp_path: Path) -> None:
    """What a worker starts sees neither the variables nor the socket."""
    text = SERVED.replace("port=0,", 'listen=systemd.sockets("web"),').replace(
        "from phxactor import", "from phxactor import systemd, ", 1
    )
    text = text.replace("{VERSION}", "{[name for name in os.environ if name.startswith('LISTEN_')]}")
    (tmp_path / "served.py").write_text(text)
    (tmp_path / "start.py").write_text(ACTIVATE)
    arguments = ("serve", "served:endpoint", "--workers", "2")
    with serving(*arguments, cwd=tmp_path, python="start.py") as started:
        program = Served(started, tmp_path)
        seen = {ask(program.port).split()[0] for _ in range(8)}
        assert set(map(int, seen)) <= program.pids()
        program.reload()
        program.says("has left", 2)
        who, variables, _ = ask(program.port).split()
        assert int(who) in program.pids()
        assert who not in seen
        assert variables == "[]"
        assert started.stop(signal.SIGTERM)[0] == 0
