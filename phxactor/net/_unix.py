"""Unix sockets: the files that stand for them, which nobody removes who is killed."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from errno import EADDRINUSE, EEXIST
from pathlib import Path


def open_unix(path: str, mode: int, backlog: int) -> socket.socket:
    """Bind and listen, with a file of the permissions `mode`; raises OSError. Only a dead socket is replaced."""
    file = Path(path)
    _remove_dead(file)
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(path)
        file.chmod(mode)  # before it listens, and so before anybody can connect
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def identify(path: str) -> tuple[int, int]:
    """Return what tells a file from another that takes its place: an inode alone may be used again."""
    found = Path(path).lstat()
    return found.st_ino, found.st_ctime_ns


def remove_unix(path: str, identity: tuple[int, int]) -> None:
    """Remove the file of a socket that is closed, unless another has taken its place."""
    with suppress(OSError):
        if identify(path) == identity:
            Path(path).unlink()


def _remove_dead(file: Path) -> None:
    """Remove a socket on which nobody listens. Raises OSError for anything else that is there."""
    if file.is_socket():
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(0)
            try:
                probe.connect(str(file))
            except ConnectionRefusedError:
                file.unlink()
                return
            except BlockingIOError:  # somebody listens who has not accepted for long
                pass
        raise OSError(EADDRINUSE, os.strerror(EADDRINUSE))
    if os.path.lexists(file):
        raise OSError(EEXIST, "there is a file that is no socket")
