"""A redis-server of the machine, which a test may kill, stop, start again and configure."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server
from typing import Any, Final

import redis

from tests.libraries.servers import REDIS
from tests.patience import PATIENCE


class RedisServer:
    """One server on one port, in a folder of its own. Its functions wait, so call those that do in a thread."""

    def __init__(self, folder: Path, *options: str) -> None:
        with create_server(("127.0.0.1", 0)) as free:
            self.port: Final[int] = free.getsockname()[1]
        self.url: Final = f"redis://127.0.0.1:{self.port}"
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start, and wait until it answers."""
        command = [
            str(REDIS),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(self._folder),
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*command, *self._options, *options], stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with self.client() as client:
                    client.ping()
            except redis.AuthenticationError:
                return
            except redis.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """Kill it, as by kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stand_still(self) -> None:
        """Stop it with SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Continue it with SIGCONT."""
        self._signal(signal.SIGCONT)

    def client(self, **options: Any) -> redis.Redis:  # noqa: ANN401 - those of redis-py
        """Return a client of redis-py; its `with` block closes it."""
        return redis.Redis(port=self.port, socket_timeout=PATIENCE, **options)

    def kill_clients(self) -> None:
        """Close the connections of all nodes, in one step."""
        with self.client() as client:
            client.client_kill_filter(_type="pubsub")

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@contextmanager
def server(*options: str) -> Iterator[RedisServer]:
    """Make a server that is not started yet; it is killed at the end."""
    with tempfile.TemporaryDirectory(prefix="phxactor-", ignore_cleanup_errors=True) as folder:
        one = RedisServer(Path(folder), *options)
        try:
            yield one
        finally:
            one.kill()
