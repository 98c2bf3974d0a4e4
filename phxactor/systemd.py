"""Listening sockets from systemd: socket activation, without a library (sd_listen_fds(3)).

    endpoint = Endpoint(sockets=[...], listen=systemd.sockets(), port=4000)

Under a `.socket` unit the endpoint listens on the sockets that systemd has opened; elsewhere the list is empty, and the
endpoint listens on its port. Clients that connect while the program restarts wait in the sockets' queues.
"""

from __future__ import annotations

import os
import socket
from typing import Final

import attrs

from phxactor.cluster.carriers.workers import this_worker

FIRST: Final = 3
"""The first descriptor that systemd passes (SD_LISTEN_FDS_START)."""
VARIABLES: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
UNNAMED: Final = "unknown"
"""The name of a descriptor that systemd has given no name."""


@attrs.define
class _Passed:
    """The sockets that systemd has passed to this program; the environment is read once."""

    variables: dict[str, str] = attrs.Factory(dict)
    """The variables that were taken out of the environment."""
    sockets: list[tuple[str, socket.socket]] | None = None


_passed: Final = _Passed()


def sockets(name: str | None = None) -> list[socket.socket]:
    """Return the sockets that systemd has passed to this program, in order; an empty list if there are none.

    The first call takes them: it removes the variables from the environment and sets close-on-exec, so that programs
    which this one starts do not take them for theirs. Later calls return the same sockets.

    Args:
        name: return only sockets with this name, which is FileDescriptorName= of the unit (LISTEN_FDNAMES).

    Raises:
        ValueError: the variables are malformed; or systemd has passed sockets, but none with this name.

    """
    if _passed.sockets is None:
        _passed.sockets = _take()
    found = [sock for called, sock in _passed.sockets if name is None or called == name]
    if _passed.sockets and not found:
        names = ", ".join(sorted({called for called, _ in _passed.sockets}))
        raise ValueError(f"systemd has passed no socket with the name {name!r}; the names are: {names}")
    return found


def hand_on(environment: dict[str, str]) -> None:
    """Have the workers that this program starts inherit the sockets, as if systemd had passed them to each.

    A worker takes them by `sockets()`, if the number in LISTEN_PID is its own or that of its parent.
    """
    if _passed.sockets:
        environment |= {**_passed.variables, "LISTEN_PID": str(os.getpid())}
        for _, sock in _passed.sockets:
            sock.set_inheritable(True)


def _take() -> list[tuple[str, socket.socket]]:
    _passed.variables = {variable: os.environ[variable] for variable in VARIABLES if variable in os.environ}
    pid, count, names, _ = (os.environ.pop(variable, None) for variable in VARIABLES)
    if pid is None or count is None:
        return []
    if not (pid.isascii() and pid.isdigit() and count.isascii() and count.isdigit()):
        raise ValueError(f"LISTEN_PID and LISTEN_FDS must be numbers; got {pid!r} and {count!r}")
    if int(pid) != os.getpid() and not (this_worker() is not None and int(pid) == os.getppid()):
        return []  # meant for another program, such as the shell that has started this one
    called = names.split(":") if names else [UNNAMED] * int(count)
    if len(called) != int(count):
        raise ValueError(f"LISTEN_FDNAMES has {len(called)} names for {count} descriptors: {names!r}")
    taken = []
    for number, one in enumerate(called):
        try:
            os.set_inheritable(FIRST + number, False)  # noqa: FBT003
            taken.append((one, socket.socket(fileno=FIRST + number)))
        except OSError as error:
            raise ValueError(f"the descriptor {FIRST + number} from systemd ({one}) is no socket: {error}") from None
    return taken
