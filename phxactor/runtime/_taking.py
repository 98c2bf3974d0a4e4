"""Lets a process with a port receive: during the block, the messages for the port wait."""

from __future__ import annotations

from typing import final

from phxactor.runtime._pid import Pid


@final
class Taking:
    """See `taking`."""

    __slots__ = ("_pid",)

    def __init__(self, pid: Pid) -> None:
        """Make one, which may be entered any number of times."""
        self._pid = pid

    def __enter__(self) -> None:
        """Make the messages for the port wait."""
        self._pid.port_busy += 1

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        """Let the port take the messages that have come, unless the block raised."""
        pid = self._pid
        pid.port_busy -= 1
        if pid.mailbox and failed is None:
            pid.run_port_queue()


def taking(pid: Pid) -> Taking:
    """Make a block in which a process may receive, or work, and the messages for its port wait."""
    return Taking(pid)
