"""This process as a worker: what its parent has told it at its start. Any other process is none.

A parent starts a worker by the command that started the parent itself, with the variable `PHXACTOR_WORKER`: the
descriptor of the control line, and the process id of the parent. The configuration is on the line before the worker
runs its first instruction, so it can be read at once, also while the program is imported.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Final, final

from phxactor.cluster.carriers.workers._control import Configure, ControlError
from phxactor.cluster.carriers.workers._control_line import ControlLine

VARIABLE: Final = "PHXACTOR_WORKER"
_CREDENTIALS: Final = struct.Struct("3i")
"""What SO_PEERCRED returns: the ids of the process that made the pair, of its user and of its group (unix(7))."""


@final
class ThisWorker:
    """This process as a worker of a parent."""

    def __init__(self, line: ControlLine, configure: Configure) -> None:
        self.line = line
        """The control line; whoever serves reads it."""
        self.configure = configure
        counts, stack = configure.descriptors
        self.counts: Final = counts
        """The descriptor of the memory in which all workers count their connections."""
        self.stack: Final = stack
        """The descriptor of the file for the stack of a crash."""


class _Known:
    """The answer of `this_worker`, once it has been asked for."""

    asked = False
    worker: ThisWorker | None = None


def is_started_by_a_parent() -> bool:
    """Say whether the environment names a parent, without touching anything."""
    return VARIABLE in os.environ or _Known.worker is not None


def this_worker() -> ThisWorker | None:
    """Return this process as a worker; None if it is none.

    The first call takes the variable out of the environment, so that no program started from here is a worker by
    mistake. A program that was started with the variable, but not by the parent itself, is no worker.
    """
    if not _Known.asked:
        _Known.asked = True
        _Known.worker = _enrol(os.environ.pop(VARIABLE, None))
    return _Known.worker


def _enrol(given: str | None) -> ThisWorker | None:
    descriptor, _, parent = (given or "").partition(":")
    if not (descriptor.isdecimal() and parent.isdecimal()):
        return None
    line = _line(int(descriptor), int(parent))
    if line is None:
        return None
    try:
        configure = line.receive_now()
    except (OSError, ControlError) as error:
        raise SystemExit(f"this worker cannot read what its parent has told it: {error}") from None
    if not isinstance(configure, Configure):
        raise SystemExit("the parent of this worker has ended")
    return ThisWorker(line, configure)


def _line(descriptor: int, parent: int) -> ControlLine | None:
    """Return the control line; None if the descriptor is not that of a line of this parent."""
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError:  # closed, or no socket: the variable was inherited, the descriptor was not
        return None
    try:
        made_by = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))[0]
    except OSError:
        made_by = 0
    if (sock.family, sock.type, made_by) != (socket.AF_UNIX, socket.SOCK_SEQPACKET, parent):
        sock.detach()  # another program's
        return None
    sock.set_inheritable(False)
    return ControlLine(sock)
