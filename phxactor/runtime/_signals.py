"""Exit signals, links, monitors, and the end of a process: plain synchronous code over the process records.

Two functions move a process through its life (`state`):

    fatal     sets the exit reason (the first one stands, P15) and cancels the task
    finish    frees the name and resources of the process, drops its monitors, tells its links and then its watchers

A process of another node (`RemotePid`) has tables of links, monitors and watchers as any other; what happens to it is
told to it besides, by the hooks of `RemotePid`, and it tells its node.

Nothing here recurses through a chain of links: a signal only marks and cancels, and each process ends in its own task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phxactor.runtime import events
from phxactor.runtime._errors import NoProcessError, not_here
from phxactor.runtime._messages import Down, Exited, Monitor
from phxactor.runtime._pid import Pid, silenced
from phxactor.runtime._reasons import (
    KILL,
    KILLED,
    NOPROC,
    Reason,
    format_reason,
    is_atom,
    is_normal,
)
from phxactor.runtime._remote import RemotePid
from phxactor.runtime._state import ALIVE, DEAD, EXITING

if TYPE_CHECKING:
    from collections.abc import Callable

    from phxactor.runtime._runtime import Runtime


def fatal(pid: Pid, reason: Reason) -> None:
    """Make the process end with `reason`; a process that is already ending keeps its first reason."""
    if pid.state is not ALIVE:
        return
    pid.state = EXITING
    pid.sink_type = None
    pid.budget = 0
    pid.exit_reason = reason
    if pid.scope is not None:
        pid.scope.cancel(reason=f"{pid!r} exits: {format_reason(reason)}")
        pid.wake()  # for a receive in a shield, which the cancellation does not reach


def exit_signal(target: Pid, source: Pid, reason: Reason) -> None:
    """Deliver an explicit exit signal (X4 to X7, P9)."""
    if target.state is DEAD:
        return
    if isinstance(target, RemotePid):
        target.exited(source, reason)
    elif is_atom(reason, KILL):
        fatal(target, KILLED)
        for shield in target.runtime.cleanups.get(target, ()):
            shield.cancel(reason=f"{target!r} is killed")
        target.runtime.zombies.watch(target)
    elif target.state is not ALIVE:
        return
    elif target.trapping:
        target.send(Exited(source, reason))
    elif source is target or not is_normal(reason):
        fatal(target, reason)


def link_signal(target: Pid, source: Pid, reason: Reason) -> None:
    """Deliver the end of a linked process (X1 to X3, X9)."""
    if target.state is not ALIVE:
        if isinstance(target, RemotePid):
            target.link_ended(source, reason)
        return
    if target.trapping:
        target.send(Exited(source, reason))
    elif not is_normal(reason):
        fatal(target, reason)


def add_link(owner: Pid, other: Pid) -> None:
    """Link two processes. A second link (X10), or a link to itself (X11), has no effect.

    Raises NoProcessError if the other has ended and the owner does not trap exits (X13). An owner that traps exits gets
    `Exited` with `NOPROC` instead (X12). If the other is only ending, it sends a `NOPROC` signal at its end (X14).
    A link to a process of another node never raises: what is wrong comes as a signal (ND30, ND31). Raises
    WrongThreadError if the other lives in another thread.
    """
    if owner is other:
        return
    if owner.thread != other.thread:
        raise not_here(other)
    if other.state is DEAD:
        if not owner.trapping:
            raise NoProcessError(f"cannot link to {other!r}: it has ended")
        owner.send(Exited(other, NOPROC))
        return
    late = other.state is EXITING
    if owner.links is None:
        owner.links = {}
    if other.links is None:
        other.links = {}
    is_new = other not in owner.links
    owner.links.setdefault(other, late)
    other.links.setdefault(owner, late)
    if is_new and isinstance(other, RemotePid):
        other.linked(owner)
    if events.linked.handlers:
        events.linked.emit(pid=owner, other=other)


def link_child(parent: Pid, child: Pid) -> None:
    """Link a new process to its parent (P20)."""
    if parent.links is None:
        parent.links = {}
    parent.links[child] = False
    child.links = {parent: False}
    if events.linked.handlers:
        events.linked.emit(pid=parent, other=child)


def drop_link(owner: Pid, other: Pid) -> None:
    """Remove the link on both sides (X15); no error if there is none (X17)."""
    if owner.links is not None and owner.links.pop(other, None) is not None:
        if other.links is not None:
            other.links.pop(owner, None)
        if isinstance(other, RemotePid):
            other.unlinked(owner)
        if events.unlinked.handlers:
            events.unlinked.emit(pid=owner, other=other)


def add_monitor(owner: Pid, target: Pid | None, name: object = None) -> Monitor:
    """Watch a process: one `Down` will come (M1). If the process is dead, it comes soon, with `NOPROC` (M2).

    `target` is None for an unregistered name. A monitor of the owner itself never fires, and is not active (M6). The
    caller makes sure that both processes live in this thread.
    """
    watch = Monitor(owner, target, name)
    if target is owner:
        watch.active = False
        return watch
    if owner.monitors is None:
        owner.monitors = {}
    owner.monitors[watch] = None
    if target is None or target.state is not ALIVE:
        return _watch_what_is_not_alive(owner, target, watch)
    if target.watchers is None:
        target.watchers = {}
    target.watchers[watch] = None
    return watch


def _watch_what_is_not_alive(owner: Pid, target: Pid | None, watch: Monitor) -> Monitor:
    if target is None or target.state is DEAD:
        will_arrive(owner, watch)
        return watch
    if target.watchers is None:
        target.watchers = {}
    target.watchers[watch] = None
    if isinstance(target, RemotePid):
        target.monitored(watch)
    else:
        watch.late = True
    return watch


def will_arrive(owner: Pid, what: Monitor | Pid) -> None:
    """Let a process learn soon that what it has just monitored or linked is not there.

    It learns so in the next pass of the scheduler, or before that when it receives. `what` is a monitor, whose `Down`
    comes, or a linked process of another node, whose exit signal comes; neither comes if it is removed before (M9).
    """
    if owner.arriving is None:
        owner.arriving = []
        owner.runtime.run_soon(lambda: owner.runtime.take_in(owner))
    owner.arriving.append(what)


def drop_monitor(watch: Monitor, *, flush: bool = False) -> bool:
    """Stop watching, and return whether the monitor was still active (M9). An inactive monitor is no error (M10).

    `flush` also removes the monitor's `Down` from the mailbox if it has already come (M8).
    """
    if watch.active:
        target = watch.target
        if target is not None and target.watchers is not None:
            target.watchers.pop(watch, None)
            if target.state is not ALIVE and isinstance(target, RemotePid):
                was_active = target.demonitored(watch)
                spend(watch)
                return was_active
        spend(watch)
        return True
    if flush:
        watch.owner.flush(lambda message: type(message) is Down and message.ref is watch)
    return False


def spend(watch: Monitor) -> None:
    """Make a monitor inactive on its owner's side: replies to its alias are dropped from now on (M13)."""
    watch.active = False
    monitors = watch.owner.monitors
    if monitors is not None:
        monitors.pop(watch, None)


def monitored(watch: Monitor) -> object:
    """Return the `object` of the monitor's `Down`."""
    return watch.target if watch.name is None else watch.name


def finish(runtime: Runtime, pid: Pid, reason: Reason) -> None:
    """End a process for good, in the order of TM17, without a checkpoint; never raises."""
    if pid.state is DEAD:
        return
    if pid.state is EXITING:
        runtime.zombies.ended(pid)
        silenced.discard(pid)
    pid.state = DEAD
    pid.exit_reason = reason
    pid.scope = pid.port = pid.waiter = pid.waiters = pid.dictionary = pid.arriving = pid.generators = None
    pid.drop_sink()
    pid.mailbox.clear()
    del runtime.processes[pid.number]
    if pid.name is not None:
        runtime.names.release(pid)
    if pid.resources is not None:
        _release(pid, pid.resources)
    if pid.monitors is not None:
        _forget_monitors(pid.monitors)
        pid.monitors = None
    if pid.links is not None or pid.watchers is not None:
        _tell(pid, reason)
    if events.exited.handlers:
        events.exited.emit(pid=pid, reason=reason)
    pid.parent = pid.lineage = None  # so that a dead process does not keep its dead ancestors
    pid.ancestors = pid.callers = ()


def _release(pid: Pid, resources: dict[Callable[[Pid], None], None]) -> None:
    pid.resources = None
    for release in resources:
        try:
            release(pid)
        except BaseException as error:  # noqa: BLE001 - links and watchers must hear of this end in any case
            if events.cleanup_failed.handlers:
                events.cleanup_failed.emit(pid=pid, exception=error)


def _forget_monitors(monitors: dict[Monitor, None]) -> None:
    for watch in monitors:
        watch.active = False
        if watch.target is not None and watch.target.watchers is not None:
            watch.target.watchers.pop(watch, None)
            if isinstance(watch.target, RemotePid):
                watch.target.demonitored(watch)


def _tell(pid: Pid, reason: Reason) -> None:
    """Tell the links, then the watchers (X21), each in the order in which they were made; last those that came late."""
    links, watchers = pid.links, pid.watchers
    pid.links = pid.watchers = None
    late_links = late_watchers = None
    if links is not None:
        for other, late in links.items():
            if late:
                late_links = links
                continue
            if other.links is not None:
                other.links.pop(pid, None)
            link_signal(other, pid, reason)
    if watchers is not None:
        for watch in watchers:
            if watch.late:
                late_watchers = watchers
            elif watch.active:
                spend(watch)
                watch.owner.deliver(Down(watch, monitored(watch), reason))
    if late_links is not None or late_watchers is not None:
        _tell_late(pid, late_links or {}, late_watchers or {})


def _tell_late(pid: Pid, links: dict[Pid, bool], watchers: dict[Monitor, None]) -> None:
    """Tell those who have linked or monitored the process when it was ending: to them there is none (X14, TM16)."""
    for other, late in links.items():
        if late:
            if other.links is not None:
                other.links.pop(pid, None)
            link_signal(other, pid, NOPROC)
    for watch in watchers:
        if watch.late and watch.active:
            spend(watch)
            watch.owner.deliver(Down(watch, monitored(watch), NOPROC))
