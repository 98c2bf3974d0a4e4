"""Registered names: at most one for a process, at most one process for a name (NM1, NM2)."""

from __future__ import annotations

from typing import Final

from phxactor.runtime import events
from phxactor.runtime._errors import NameTakenError, NotLocalError
from phxactor.runtime._pid import Pid
from phxactor.runtime._state import ALIVE, REMOTE

RESERVED: Final = frozenset({"false", "nil", "true", "undefined"})
"""Atoms that Elixir refuses as names (NM1)."""


def check_name(name: object) -> None:
    """Raise TypeError for a name that is no `str`, ValueError for a name that is empty or reserved."""
    if not isinstance(name, str):
        raise TypeError(f"a name must be a str, not {name!r}")
    if not name or name in RESERVED:
        raise ValueError(f"{name!r} cannot be a name: a name is not empty, nor one of {', '.join(sorted(RESERVED))}")


class Names:
    """The table of registered names of one runtime."""

    def __init__(self) -> None:
        """Start empty."""
        self._pids: dict[str, Pid] = {}

    def register(self, name: str, pid: Pid) -> None:
        """Register a name for a process.

        Raises NameTakenError if the name has an owner (even the same process), or if the process has a name or has
        ended; ValueError if the name is empty or reserved; NotLocalError for a process of another node (ND6); TypeError
        if the name is no `str`.
        """
        check_name(name)
        if name in self._pids:
            raise NameTakenError(f"the name {name!r} belongs to {self._pids[name]!r}")
        if pid.state is REMOTE:
            raise NotLocalError(f"{pid!r} is a process of another node: names are local, (name, node) addresses one")
        if pid.name is not None:
            raise NameTakenError(f"{pid!r} has a name already")
        if pid.state is not ALIVE:
            raise NameTakenError(f"{pid!r} has ended")
        self._pids[name] = pid
        pid.name = name
        if events.named.handlers:
            events.named.emit(pid=pid, name=name)

    def unregister(self, name: str) -> None:
        """Free a name; raises LookupError if no process has it (NM4)."""
        pid = self._pids.pop(name, None)
        if pid is None:
            raise LookupError(f"no process is registered as {name!r}")
        pid.name = None

    def whereis(self, name: str) -> Pid | None:
        """Return the owner of a name, which may be ending (P13), or None."""
        return self._pids.get(name)

    def release(self, pid: Pid) -> None:
        """Free the name of a process that ends; the pid still shows it (NM5)."""
        if pid.name is not None:
            self._pids.pop(pid.name, None)

    def all(self) -> dict[str, Pid]:
        """Return a copy of the table: the pid of each name."""
        return dict(self._pids)
