"""The messages and references that the runtime itself makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from phxactor.runtime.pid import Pid
    from phxactor.runtime.reasons import Reason


class Ref:
    """A unique reference, equal only to itself; also the address of an alias (see `Monitor`)."""

    __slots__ = ()


class Monitor(Ref):
    """One process watching another: what `monitor` returns, and the `ref` of the `Down` that it will cause.

    It is also an address: `reply_to(message)` reaches the owner while the monitor is active (M13).
    """

    __slots__ = ("active", "late", "name", "owner", "target")

    def __init__(self, owner: Pid, target: Pid | None, name: object = None) -> None:
        """Make one; the runtime enters it in the owner's and the target's tables."""
        self.owner = owner
        self.target = target
        self.name = name
        self.active = True
        self.late = False
        """Made on a process that was already ending: its reason will be `NOPROC` (TM16)."""


@attrs.frozen
class Exited:
    """`{:EXIT, pid, reason}`: an exit signal that reached a process which traps exits (X3, X6)."""

    pid: Pid
    reason: Reason


@attrs.frozen
class Down:
    """`{:DOWN, ref, :process, object, reason}`: a monitored process has ended (M1).

    `object` is the pid, or the name for a monitor by name (M3).
    """

    ref: Monitor
    object: object
    reason: Reason
