"""Unix sockets and their files; a server that is killed leaves its file behind."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from errno import EADDRINUSE, EEXIST
from pathlib import Path


def open_unix(path: str, mode: int, backlog: int) -> socket.socket:
    """Bind and listen on a Unix socket whose file has the permissions `mode`.

    A socket file at the path that no server listens on is replaced. Raises OSError for anything else at the path.
    """
    file = Path(path)
    _remove_dead(file)
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(path)
        file.chmod(mode)  # before `listen`, so before any client can connect
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def identify(path: str) -> tuple[int, int]:
    """Return the identity of a file: its inode and its change time, since the system reuses inode numbers."""
    found = Path(path).lstat()
    return found.st_ino, found.st_ctime_ns


def remove_unix(path: str, identity: tuple[int, int]) -> None:
    """Remove the file of a closed socket, unless another file has replaced it."""
    with suppress(OSError):
        if identify(path) == identity:
            Path(path).unlink()


def _remove_dead(file: Path) -> None:
    """Remove a socket file that no server listens on. Raises OSError for anything else at the path."""
    if file.is_socket():
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(0)
            try:
                probe.connect(str(file))
            except ConnectionRefusedError:
                file.unlink()
                return
            except BlockingIOError:  # a server listens there, and its queue is full
                pass
        raise OSError(EADDRINUSE, os.strerror(EADDRINUSE))
    if os.path.lexists(file):
        raise OSError(EEXIST, "the path has a file that is no socket; remove it or choose another path")
