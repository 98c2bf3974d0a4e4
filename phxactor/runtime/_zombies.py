"""Zombies: processes that were killed and do not end.

A task can hold off a kill by a shielded cancel scope, or by waiting for a thread (TM7, TM9). Other processes must not
wait for it for ever. So after a grace time the process counts as dead while its task still runs: its links and monitors
hear of its end, its name is free, and a supervisor or the stop of the runtime goes on (TM10). The event `zombie`
reports it. The block of the runtime cannot be left before the task has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from phxactor.runtime import _signals as signals
from phxactor.runtime import events
from phxactor.runtime._countdown import Countdown

if TYPE_CHECKING:
    from phxactor.runtime._pid import Pid

KILL_GRACE: Final = 5.0
"""Seconds that a killed process has to end (TM10); a pause of the program does not count."""


class Zombies:
    """The processes that were killed and have not ended yet, and those that count as dead while their tasks run."""

    def __init__(self, grace: float) -> None:
        """Count a process as dead if it has not ended `grace` seconds after a kill; `math.inf` means never."""
        self.given_up: set[Pid] = set()
        """Processes that count as dead, but whose tasks still run."""
        self.grace: Final = grace
        self._killed: dict[Pid, Countdown] = {}

    def watch(self, pid: Pid) -> None:
        """Start the grace time of a killed process. `main` is never given up: leaving its block waits for its task."""
        if pid not in self._killed and pid is not pid.runtime.main:
            self._killed[pid] = Countdown(pid.runtime.timers, self.grace, self._give_up, pid)

    def ended(self, pid: Pid) -> None:
        """Stop the countdown of a process that has ended."""
        countdown = self._killed.pop(pid, None)
        if countdown is not None:
            countdown.stop()

    def _give_up(self, pid: Pid) -> None:
        self.given_up.add(pid)
        if events.zombie.handlers:
            events.zombie.emit(pid=pid, reason=pid.exit_reason)
        signals.finish(pid.runtime, pid, pid.exit_reason)
