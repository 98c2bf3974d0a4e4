"""How the servers are started: each for one run of one load, alone on its core."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, TypeAlias

import attrs

from benchmarks.load.dialects import Fault
from benchmarks.os_process import Cores, OsProcess
from benchmarks.servers.catalogue import Program, Running

ROOT: Final = Path(__file__).parents[1]
"""The checkout: `tests` is not part of what gets installed."""
START: Final = 20.0
"""Seconds that a server may take to accept its first connection."""
STOP: Final = 20.0
"""Seconds that it may take to end."""


Kind: TypeAlias = Program | Running


@attrs.frozen
class Server:
    """A server that runs."""

    kind: Kind
    pid: int
    port: int

    def pids(self) -> tuple[int, ...]:
        """Return the processes whose work is measured: the workers, if it is the parent of any."""
        workers = OsProcess(self.pid).children() if isinstance(self.kind, Program) and self.kind.workers else ()
        return tuple(each.pid for each in workers) or (self.pid,)


@contextmanager
def serving(kind: Kind, cores: Cores, *, pass_fds: Sequence[int] = ()) -> Iterator[Server]:
    """Start a server on its core, and stop it; one that runs already is left as it is. It inherits `pass_fds`.

    What it wrote meanwhile is shown when a `Fault` comes out of the block.
    """
    if isinstance(kind, Running):
        yield Server(kind, kind.pid, kind.port)
        return
    port = free_port()
    with tempfile.TemporaryFile() as output:
        with cores.children_on(cores.server):
            command = [*kind.command, f"--port={port}"]
            process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, pass_fds=pass_fds)
        try:
            wait_for(process, port)
            if kind.workers:
                wait_for_workers(process, output)
            yield Server(kind, process.pid, port)
        except Fault as fault:
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
            raise Fault(f"{fault}\n{kind.name} said:\n{said[-2000:]}" if said else str(fault)) from None
        finally:
            stop(process)


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until a server accepts connections; raises `Fault`."""
    deadline = time.monotonic() + START
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise Fault("it does not start")


def wait_for_workers(process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
    """Wait until all workers of a program serve: then it writes its first line. Raises `Fault`.

    Its parent accepts connections before that, and they wait in the socket.
    """
    deadline = time.monotonic() + START
    while not os.pread(output.fileno(), 1, 0):
        if process.poll() is not None or time.monotonic() > deadline:
            raise Fault("its workers do not serve")
        time.sleep(0.02)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a server, in order if it can."""
    process.terminate()
    try:
        process.wait(STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
