"""Programs with workers as processes of their own, and what their clients see."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from phxactor.workers import ParentState, ask_state
from tests.demos.program import Program, serving
from tests.patience import PATIENCE

SERVED = Path(__file__).with_name("served.py").read_text()


def ask(port: int, path: str = "/") -> str:
    """Ask by a connection of its own; return the body."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
        answer = b""
        while some := sock.recv(65536):
            answer += some
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), answer
    return body.decode()


def until(condition: Callable[[], object], what: str = "") -> None:
    """Wait, on the clock of the wall, until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def ends(pid: int) -> bool:
    """Say whether a process that is no child of ours has ended."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return True
    return state == "Z"


class Served:
    """A program with workers that serves."""

    def __init__(self, program: Program, folder: Path) -> None:
        self.program = program
        self.folder = folder
        self.port = int(program.url.rpartition(":")[2]) if program.url.startswith("http") else 0

    @property
    def text(self) -> str:
        """What it has printed."""
        return "".join(self.program.lines)

    def state(self) -> ParentState:
        return ask_state(self.program.process.pid)

    def pids(self) -> set[int]:
        """Return the process ids of the workers that serve."""
        return {one.process for one in self.state().workers if one.state == "ready"}

    def change(self, old: str, new: str) -> None:
        """Change the program's file."""
        file = self.folder / "served.py"
        file.write_text(file.read_text().replace(old, new))

    def reload(self) -> None:
        self.program.process.send_signal(signal.SIGHUP)

    def says(self, words: str, times: int = 1) -> None:
        """Wait until it has printed some words."""
        until(lambda: self.text.count(words) >= times, f"{words!r} in {self.text}")


@contextmanager
def served(folder: Path, *options: str, workers: int = 2, text: str = SERVED) -> Iterator[Served]:
    """Serve a copy of `served.py` in a folder."""
    (folder / "served.py").write_text(text)
    with serving("serve", "served:endpoint", "--workers", str(workers), *options, cwd=folder) as program:
        yield Served(program, folder)
