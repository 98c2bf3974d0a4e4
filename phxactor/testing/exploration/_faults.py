"""Failures as choices: a kill, a late `Down`, a line that breaks, and what fails in a simulated cluster.

Each is one more possibility at a choice. A budget says how many of each there may be in one play. 0 is always that
nothing fails (EX46).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias
from unittest.mock import patch

import attrs
import trio

from phxactor.runtime import KILL, Down, Pid, Runtime, State, exit_signal
from phxactor.testing import _faults_line, _network_fate
from phxactor.testing._network_fate import Fate


def anybody(_: Pid) -> bool:
    """Choose every process."""
    return True


@attrs.frozen
class Faults:
    """How many failures there may be in one play, besides those that the program makes."""

    kills: int = 0
    """Processes that are killed, each at any choice; never `main`, nor one whose end would end `main` by a link."""
    late_downs: int = 0
    """Messages `Down` that arrive when no other task can go on, instead of at once."""
    drops: int = 0
    """Lines (`FaultyLine`) that break, each when one of its ends sends or receives."""
    losses: int = 0
    """Frames between two nodes of a simulated cluster (`cluster`) that are lost."""
    cuts: int = 0
    """Pairs of nodes that cannot hear each other from a frame on, which is lost, until the program heals them."""
    deaths: int = 0
    """Nodes that are killed as they send a frame, or as one is sent to them; it is lost."""
    who: Callable[[Pid], bool] = anybody
    """Chooses the processes that may be killed."""

    @property
    def of_cluster(self) -> bool:
        """Whether anything may fail between nodes."""
        return bool(self.losses or self.cuts or self.deaths)

    def __repr__(self) -> str:
        """Return an expression that makes the same, if the processes are not chosen."""
        parts = [f"{name}={count}" for name, count in attrs.asdict(self).items() if count and name != "who"]
        if self.who is not anybody:
            parts.append(f"who={getattr(self.who, '__qualname__', self.who)}")
        return f"Faults({', '.join(parts)})"


class Fault:
    """One failure that may happen now."""

    def __init__(self, text: str, pid: Pid | None = None) -> None:
        """Store what the trace says, and the process that is killed, if it is a kill."""
        self.text = text
        self.pid = pid

    def __repr__(self) -> str:
        """Name it as the trace does."""
        return self.text


class OnTime:
    """The other possibility: nothing fails now."""


ON_TIME: Final = OnTime()
Ask: TypeAlias = Callable[["list[Fault | OnTime]"], int]


class Budget:
    """What may still fail in the current play."""

    def __init__(self, faults: Faults) -> None:
        """Start with all of it."""
        self._faults = faults
        self.runtime: Runtime | None = None
        """The runtime whose processes may be killed."""
        self.begin()

    def begin(self) -> None:
        """Begin a further play."""
        faults = self._faults
        self._kills, self._late_downs, self._drops = faults.kills, faults.late_downs, faults.drops
        self._losses, self._cuts, self._deaths = faults.losses, faults.cuts, faults.deaths
        self.runtime = None

    def kills(self) -> list[Fault]:
        """List the processes that may be killed now."""
        if not self._kills or self.runtime is None:
            return []
        main = self.runtime.main
        spared = () if main.trapping else main.links or ()
        return [
            Fault(f"{pid!r} is killed", pid)
            for pid in self.runtime.processes.values()
            if pid is not main and pid not in spared and pid.state is State.ALIVE and self._faults.who(pid)
        ]

    def kill(self, fault: Fault) -> None:
        """Kill a process."""
        self._kills -= 1
        if fault.pid is not None:
            exit_signal(fault.pid, fault.pid.runtime.outside, KILL)

    def comes_late(self, message: object, ask: Ask) -> bool:
        """Ask whether a message arrives late."""
        if not self._late_downs or type(message) is not Down:
            return False
        if not ask([ON_TIME, Fault(f"{message.object!r} is down, and this is told late")]):
            return False
        self._late_downs -= 1
        return True

    def drops_now(self, ask: Ask) -> bool:
        """Ask whether a line breaks now."""
        if not self._drops or not ask([ON_TIME, Fault("a line breaks")]):
            return False
        self._drops -= 1
        return True

    def fate(self, one: str, other: str, ask: Ask) -> Fate:
        """Ask what becomes of a frame from one node to another."""
        fates = [Fate.ARRIVES]
        fates += [Fate.LOST] * bool(self._losses) + [Fate.CUT] * bool(self._cuts)
        fates += [Fate.SENDER_DIES, Fate.RECEIVER_DIES] * bool(self._deaths)
        if len(fates) == 1:
            return Fate.ARRIVES
        fate = fates[ask([ON_TIME, *(Fault(f"a frame from {one} to {other} {fate.value}") for fate in fates[1:])])]
        self._losses -= fate is Fate.LOST
        self._cuts -= fate is Fate.CUT
        self._deaths -= fate in {Fate.SENDER_DIES, Fate.RECEIVER_DIES}
        return fate

    @contextmanager
    def in_force(self, ask: Ask, postpone: Callable[[trio.lowlevel.Task], object]) -> Iterator[None]:
        """Let messages arrive late, and lines break, while the block lasts."""
        deliver = Pid.deliver

        def delivered(pid: Pid, message: object) -> None:
            if self.comes_late(message, ask):
                postpone(trio.lowlevel.spawn_system_task(_deliver, deliver, pid, message, name="a late Down"))
            else:
                deliver(pid, message)

        with (
            patch.object(Pid, "deliver", delivered),
            patch.object(_faults_line, "drops_now", lambda: self.drops_now(ask)),
            patch.object(_network_fate, "fate_of", lambda one, other: self.fate(one, other, ask)),
        ):
            yield


async def _deliver(deliver: Callable[[Pid, object], None], pid: Pid, message: object) -> None:
    """Deliver a message in a step of its own."""
    deliver(pid, message)
