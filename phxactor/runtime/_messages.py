"""The messages and references that the runtime makes."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, Any

import attrs

from phxactor.runtime._errors import not_here

if TYPE_CHECKING:
    from phxactor.runtime._pid import Pid
    from phxactor.runtime._reasons import Reason


class Ref:
    """A unique reference, equal only to itself; also the address of an alias (see `Monitor`)."""

    __slots__ = ()


class From(Ref):
    """The return address of one request: takes the answer while it is active (M13, M15)."""

    __slots__ = ("active", "owner")

    def __init__(self, owner: Pid) -> None:
        """Make an active address; answers go to `owner`."""
        self.owner = owner
        self.active = True

    def reply(self, value: object) -> None:
        """Send the owner `Answer(self, value)` if this address is still active; from any process, at any time (G27).

        Raises WrongThreadError in a thread other than the owner's.
        """
        owner = self.owner
        if get_ident() != owner.thread:
            raise not_here(owner)
        if self.active:
            owner.deliver(Answer(self, value))


class Monitor(From):
    """One process's watch on another: `monitor` returns it, and the resulting `Down` carries it as its `ref`.

    As a return address (`From`) it is active until the monitor is removed or has fired.
    """

    __slots__ = ("late", "name", "target")

    def __init__(self, owner: Pid, target: Pid | None, name: object = None) -> None:
        """Make the value only; `signals.add_monitor` enters it in the owner's and the target's tables."""
        self.owner = owner
        self.active = True
        self.target = target
        self.name = name
        self.late = False
        """Whether the process was already ending when the monitor was made: its `Down` will say `NOPROC` (TM16).

        Of a process of another node: whether the line was lost, so that the `Down` says `NOCONNECTION` (ND38).
        """


class Answer:
    """`{ref, value}`: what `From.reply` sends."""

    __slots__ = ("ref", "value")

    def __init__(self, ref: From, value: Any) -> None:  # noqa: ANN401 - any value
        """Store both."""
        self.ref = ref
        self.value = value

    def __repr__(self) -> str:
        """Show the value."""
        return f"Answer({self.value!r})"


def ref_of(message: object) -> Ref | None:
    """Return the `ref` of an `Answer` or a `Down`, and None for any other message, whose attributes are not read."""
    return message.ref if type(message) is Answer or type(message) is Down else None


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
