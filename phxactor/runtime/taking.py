"""How a process with a port receives: for that long, the messages for the port wait."""

from __future__ import annotations

from typing import final

from phxactor.runtime.pid import Pid


@final
class Taking:
    """See `taking`."""

    __slots__ = ("_pid",)

    def __init__(self, pid: Pid) -> None:
        """Make one, for any number of blocks."""
        self._pid = pid

    def __enter__(self) -> None:
        """Have the messages for the port wait."""
        self._pid.port_busy += 1

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        """Have the port take what has come."""
        pid = self._pid
        pid.port_busy -= 1
        if pid.mailbox and failed is None:
            pid.run_port_queue()


def taking(pid: Pid) -> Taking:
    """Make a block in which a process may receive, or work, and the messages for its port wait."""
    return Taking(pid)
