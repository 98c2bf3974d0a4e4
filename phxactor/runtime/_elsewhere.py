"""What a process of another node does to local ones: for whoever carries the signals of that node.

An exit signal of it is `exit_signal(target, pid, reason)`, a link that it makes is an entry in both tables, and a
monitor that it makes is `add_monitor(pid, target)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phxactor.runtime._messages import Down, Monitor
from phxactor.runtime._reasons import NOPROC
from phxactor.runtime._remote import RemotePid
from phxactor.runtime._signals import link_signal, monitored, spend
from phxactor.runtime._state import DEAD

if TYPE_CHECKING:
    from phxactor.runtime._pid import Pid
    from phxactor.runtime._reasons import Reason


def ended_elsewhere(pid: RemotePid, reason: Reason, *, lost: bool = False) -> None:
    """Tell the local links of a remote process, then its local watchers (X21), that it has ended.

    With `lost` it is not known to have ended, but the line to its node is lost; the reason is `NOCONNECTION`.
    """
    for other in list(pid.links or ()):
        link_ended_elsewhere(pid, other, reason)
    for watch in list(pid.watchers or ()):
        down_elsewhere(watch, reason, lost=lost)


def link_ended_elsewhere(pid: RemotePid, other: Pid, reason: Reason) -> None:
    """Tell a local process that a remote one, with which it is linked, has ended; without a link nothing happens."""
    if other.links is None or other.links.pop(pid, None) is None:
        return
    if pid.links is not None:
        pid.links.pop(other, None)
    link_signal(other, pid, reason)


def down_elsewhere(watch: Monitor, reason: Reason, *, lost: bool = False) -> None:
    """Let a local process's monitor of a remote one fire, if it is still active."""
    if not watch.active:
        return
    target = watch.target
    if target is not None and target.watchers is not None:
        target.watchers.pop(watch, None)
    spend(watch)
    watch.late = lost
    watch.owner.deliver(Down(watch, monitored(watch), reason))


def new_monitor(owner: Pid) -> Monitor:
    """Make a monitor of a process that is yet to be started; `watch_started` completes it."""
    watch = Monitor(owner, None)
    if owner.monitors is None:
        owner.monitors = {}
    owner.monitors[watch] = None
    return watch


def watch_started(watch: Monitor) -> None:
    """Let a monitor watch its target, a local process; if that has ended already, it fires with its reason (ND71)."""
    target, owner = watch.target, watch.owner
    if owner.monitors is None:
        owner.monitors = {}
    owner.monitors[watch] = None
    if target is None or target.state is DEAD:
        spend(watch)
        owner.deliver(Down(watch, monitored(watch), NOPROC if target is None else target.exit_reason))
        return
    if target.watchers is None:
        target.watchers = {}
    target.watchers[watch] = None


def link_started(owner: Pid, pid: Pid) -> None:
    """Link a process that has just been started with the one that asked for it; as `watch_started` does."""
    if pid.state is not DEAD:
        if pid.links is None:
            pid.links = {}
        pid.links[owner] = False
    if owner.state is not DEAD:
        if owner.links is None:
            owner.links = {}
        owner.links[pid] = False
    if isinstance(owner, RemotePid):
        owner.linked(pid)
    if pid.state is DEAD and owner.links is not None and owner.links.pop(pid, None) is not None:
        link_signal(owner, pid, pid.exit_reason)
    elif owner.state is DEAD and pid.links is not None and pid.links.pop(owner, None) is not None:
        link_signal(pid, owner, NOPROC)
