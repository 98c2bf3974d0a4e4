"""`start_on`: starting a process on another node by the name that the node has declared for it."""

from __future__ import annotations

from typing import Final

from phxactor.cluster import Node
from phxactor.distribution._distribution import Distribution
from phxactor.distribution._startable import STARTER
from phxactor.otp import Error, Ok, StartError, call
from phxactor.runtime import Monitor, Pid, demonitor, new_monitor, self_pid

START_TIMEOUT: Final = 5.0
"""Seconds that a start may take, by default."""


async def start_on(
    node: Node, name: str, *args: object, link: bool = False, timeout: float | None = START_TIMEOUT
) -> Pid:
    """Start what a node has declared as `name` (see `Startable`), with data for arguments; return its pid.

    It belongs to a supervisor there: the end of the caller changes nothing (ND75), unless it is linked.

    Args:
        node: the node, which may be this one.
        name: the name by which it is declared there.
        *args: data, as in a message.
        link: link it with the caller, from its first moment: the caller gets its true exit reason (ND71).
        timeout: seconds to wait for its start; None for ever.

    Raises:
        StartError: it is not declared there (`("not_startable", name)`), or did not start, with the reason.
        Exit: as `call`: `(("nodedown", node), ...)` if the node is not there or is lost meanwhile, when the process may
            live all the same; `("noproc", ...)` if nothing is declared on the node; `("timeout", ...)`.
        CannotTravelError: an argument is no data.

    """
    return await _start(node, name, args, link, None, timeout)


async def start_monitor_on(
    node: Node, name: str, *args: object, timeout: float | None = START_TIMEOUT
) -> tuple[Pid, Monitor]:
    """Do as `start_on`, and monitor the process from its first moment."""
    watch = new_monitor(self_pid())
    peer = Distribution.peer_of(node)
    if peer is not None:
        peer.expect(watch)
    try:
        pid = await _start(node, name, args, False, watch, timeout)  # noqa: FBT003
    except BaseException:
        if peer is not None:
            peer.demonitor(watch)
        demonitor(watch, flush=True)
        raise
    if peer is not None and watch.active:
        watch.target = pid
        if pid.watchers is None:
            pid.watchers = {}
        pid.watchers[watch] = None
    return pid, watch


async def _start(  # noqa: PLR0917 - private
    node: Node,
    name: str,
    args: tuple[object, ...],
    is_linked: bool,  # noqa: FBT001
    watch: Monitor | None,
    timeout: float | None,
) -> Pid:
    me = self_pid()
    started = await call((STARTER, node), ("start", name, [*args], me, is_linked, watch), timeout)
    if isinstance(started, Ok) and isinstance(started.value, Pid):
        return started.value
    raise StartError(started.reason if isinstance(started, Error) else started)
