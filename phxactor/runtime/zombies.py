"""Zombies: processes that were killed and do not end.

A task can keep a kill away, with a shielded cancel scope or by waiting for a thread (TM7, TM9). Others must not hang
on it: after a grace the process is buried while its task still runs, so that its links and monitors hear of its end,
its name is free, and a supervisor or the end of the runtime goes on (TM10). The event `zombie` tells; the runtime's
block itself cannot be left before the task has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from phxactor.runtime import events, signals
from phxactor.runtime.countdown import Countdown

if TYPE_CHECKING:
    from phxactor.runtime.pid import Pid
    from phxactor.runtime.runtime import Runtime

KILL_GRACE: Final = 5.0
"""Seconds that a killed process has to end (TM10); a pause of the program does not count."""


class Zombies:
    """The processes that were killed and have not ended yet, and those that were given up."""

    def __init__(self, runtime: Runtime, grace: float) -> None:
        """Give a process up when it has not ended `grace` seconds after a kill; `math.inf` for never."""
        self.undead: set[Pid] = set()
        """Buried, but their tasks still run."""
        self._runtime = runtime
        self.grace: Final = grace
        self._killed: dict[Pid, Countdown] = {}

    def watch(self, pid: Pid) -> None:
        """Give a process that was killed its grace; `main` has no end, since its block cannot be left without it."""
        if pid not in self._killed and pid is not self._runtime.main:
            self._killed[pid] = Countdown(self._runtime.timers, self.grace, self._give_up, pid)

    def ended(self, pid: Pid) -> None:
        """Take note that a process has ended in time."""
        countdown = self._killed.pop(pid, None)
        if countdown is not None:
            countdown.stop()

    def _give_up(self, pid: Pid) -> None:
        self.undead.add(pid)
        if events.zombie.handlers:
            events.zombie.emit(pid=pid, reason=pid.exit_reason)
        signals.bury(self._runtime, pid, pid.exit_reason)
