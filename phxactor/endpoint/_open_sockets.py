"""The open sockets of an endpoint that closes them after a gap."""

from __future__ import annotations

from typing import final

from phxactor.runtime import Pid, own


@final
class OpenSockets:
    """The transports of an endpoint's sockets that are open, on any transport."""

    __slots__ = ("pids",)

    def __init__(self) -> None:
        self.pids: dict[Pid, None] = {}
        """The oldest first."""

    def add(self, pid: Pid) -> None:
        """Note a transport, until it ends."""
        self.pids[pid] = None
        own(pid, self._forget)

    def _forget(self, pid: Pid) -> None:
        self.pids.pop(pid, None)
