"""PostgreSQL and Redis of the machine, each on a free port and in a folder of its own, until the block is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server
from typing import Final

import psycopg
import redis

from tests.patience import PATIENCE
from tests.sockets.serving import eventually

POSTGRES: Final = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
"""The folder of Debian's newest PostgreSQL."""
REDIS: Final = shutil.which("redis-server")
USER: Final = "postgres" if os.getuid() == 0 else None
"""PostgreSQL refuses to be run by root."""


@contextmanager
def postgres() -> Iterator[int]:
    """Run a server with the user and the database `app`; yield its port."""
    assert POSTGRES is not None
    with _folder() as folder:
        data, port = folder / "data", _free_port()
        init = [str(POSTGRES / "initdb"), f"--pgdata={data}", "--auth=trust", "--username=app", "--no-sync"]
        subprocess.run(init, check=True, capture_output=True, user=USER, group=USER, cwd=folder)
        options = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": 60,
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        with _program([POSTGRES / "postgres", "-D", data, *arguments], folder, signal.SIGQUIT):
            server = f"host=127.0.0.1 port={port} user=app dbname=postgres"
            _until_ready(lambda: psycopg.connect(server).close())
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute("create database app encoding 'UTF8' template template0")
            yield port


@contextmanager
def redis_server() -> Iterator[int]:
    """Run a server; yield its port."""
    assert REDIS is not None
    with _folder() as folder:
        port = _free_port()
        arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        with _program([REDIS, *arguments], folder, signal.SIGTERM):
            _until_ready(lambda: _ping(port))
            yield port


def flush(port: int) -> None:
    """Empty a Redis server."""
    with redis.Redis(port=port) as client:
        client.flushall()


async def threads_ended() -> None:
    """Wait for the threads of pools, which end after the pool was closed, and for those of queries that go on."""
    await eventually(lambda: not [thread for thread in threading.enumerate() if _works(thread.name)])


def _works(name: str) -> bool:
    """Say whether the thread of this name is a pool's, or one of trio's that runs a function."""
    return name.startswith("pool-") or "(close)" in name or " from " in name


def _ping(port: int) -> None:
    with redis.Redis(port=port) as client:
        client.ping()


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="phxactor-", ignore_cleanup_errors=True) as name:
        if USER is not None:
            shutil.chown(name, USER)
        yield Path(name)


@contextmanager
def _program(command: list[object], folder: Path, stop: signal.Signals) -> Iterator[None]:
    """Run a program, as the user of PostgreSQL if this is root."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(part) for part in command], cwd=folder, stdout=log, stderr=log, user=USER, group=USER
        )
    try:
        yield
    finally:
        process.send_signal(stop)
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()


def _until_ready(attempt: Callable[[], None]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            attempt()
        except (psycopg.OperationalError, redis.ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _free_port() -> int:
    with create_server(("127.0.0.1", 0)) as socket:
        port: int = socket.getsockname()[1]
        return port
