"""Which processes have reported their own end, so that a log has one record at ERROR for one crash, not three.

A process that fails tells more than a supervisor that sees it end: the exception, the last message, the state. What its
supervisor reports then is only logged at DEBUG, as Elixir hides supervisors' reports unless a program asks for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary, WeakSet

if TYPE_CHECKING:
    from phxactor.runtime._pid import Pid
    from phxactor.runtime._reasons import Reason

_REPORTED: Final[WeakSet[Pid]] = WeakSet()
"""The processes that have reported their own end."""
_BY_CHILDREN: Final[WeakKeyDictionary[Pid, int]] = WeakKeyDictionary()
"""The identity of the reason that a process's last child to fail has reported. The reason may refer to the process."""


def note_report(pid: Pid, reason: Reason) -> None:
    """Note that an event has told of the abnormal end of `pid`."""
    _REPORTED.add(pid)
    if pid.parent is not None:
        _BY_CHILDREN[pid.parent] = id(reason)


def has_reported(pid: Pid) -> bool:
    """Return whether an event has told of the abnormal end of `pid`."""
    return pid in _REPORTED


def child_has_reported(parent: Pid, reason: Reason) -> bool:
    """Return whether this very reason is what the last process to fail of those that `parent` spawned has reported."""
    return _BY_CHILDREN.pop(parent, None) == id(reason)
