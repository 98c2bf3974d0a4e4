"""The process tree of one Presence or Tracker.

RoomPresence (one_for_one)     its dictionary holds the tables
├─ tracker                     sends diffs whose time has come
└─ callbacks                   calls handle_metas and the like; only if the class has any
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

from phxactor.otp import ChildSpec, Supervise, Supervisor
from phxactor.presence._callbacks import Callbacks
from phxactor.presence._process import TrackerProcess
from phxactor.presence._tables import Tables
from phxactor.runtime import own, self_pid

if TYPE_CHECKING:
    from phxactor.presence._tracking import Tracking

_lives: Final = count(1)
"""Numbers the lives of all tables of this operating-system process, so that a later one has a higher number."""


class PresenceSupervisor(Supervisor):
    """The root of the tree, registered under the name of its class."""

    async def init(self, cls: type[Tracking]) -> Supervise:
        """Make the tables, and return the children."""
        pid = self_pid()
        tables = Tables(cls(), cls.options, pid.runtime, next(_lives))
        pid.dictionary = {**(pid.dictionary or {}), Tables: tables}
        own(pid, tables.end)
        children = [ChildSpec(id="tracker", start=(TrackerProcess.start_link, (tables,), {}))]
        if cls.calls:
            children.append(ChildSpec(id="callbacks", start=(Callbacks.start_link, (tables,), {})))
        return Supervise(children)
