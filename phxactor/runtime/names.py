"""Registered names: at most one for a process, at most one process for a name (NM1, NM2)."""

from __future__ import annotations

from typing import Final

from phxactor.runtime import events
from phxactor.runtime.errors import NameTakenError
from phxactor.runtime.pid import Pid
from phxactor.runtime.state import ALIVE

RESERVED: Final = frozenset({"false", "nil", "true", "undefined"})
"""Atoms that Elixir refuses as names (NM1)."""


def check_name(name: object) -> None:
    """Raise TypeError for a name that is no text, ValueError for one that is empty or reserved."""
    if not isinstance(name, str):
        raise TypeError(f"a name is a text, not {name!r}")
    if not name or name in RESERVED:
        raise ValueError(f"{name!r} cannot be a name: it is empty, or means something else in Elixir")


class Names:
    """The table of registered names of one runtime."""

    def __init__(self) -> None:
        """Start empty."""
        self._pids: dict[str, Pid] = {}

    def register(self, name: str, pid: Pid) -> None:
        """Give a process a name.

        Raises NameTakenError if the name has an owner (the same process too), the process has a name, or is
        gone; ValueError if the name is empty or reserved.
        """
        check_name(name)
        if name in self._pids:
            raise NameTakenError(f"the name {name!r} belongs to {self._pids[name]!r}")
        if pid.name is not None:
            raise NameTakenError(f"{pid!r} has a name already")
        if pid.state is not ALIVE:
            raise NameTakenError(f"{pid!r} has ended")
        self._pids[name] = pid
        pid.name = name
        if events.named.handlers:
            events.named.emit(pid=pid, name=name)

    def unregister(self, name: str) -> None:
        """Free a name; raises NoProcessError's base LookupError if nobody has it (NM4)."""
        pid = self._pids.pop(name, None)
        if pid is None:
            raise LookupError(f"no process is registered as {name!r}")
        pid.name = None

    def whereis(self, name: str) -> Pid | None:
        """Return the owner of a name, who may be ending (P13), or None."""
        return self._pids.get(name)

    def release(self, pid: Pid) -> None:
        """Free the name of a process that ends; the pid still shows it (NM5)."""
        if pid.name is not None:
            self._pids.pop(pid.name, None)

    def all(self) -> dict[str, Pid]:
        """Copy the table."""
        return dict(self._pids)
