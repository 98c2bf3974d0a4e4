"""The gap closer: after a gap, it closes all sockets of an endpoint with 1012, so that clients join and load anew.

An endpoint has it with `close_after_gap=True`. Messages of other nodes were lost, and nobody knows which. What clients
have shown may be out of date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from phxactor.cluster import Gap, LocalNode
from phxactor.endpoint import events
from phxactor.endpoint._finishing import finish
from phxactor.otp import ChildSpec, Ignore, Ok
from phxactor.runtime import SHUTDOWN, Pid, counted, demonitor, monitor, receive, self_pid

if TYPE_CHECKING:
    from phxactor.endpoint._open_sockets import OpenSockets
    from phxactor.endpoint._serving import Serving

TOGETHER: Final = 1.0
"""Seconds after a gap within which others belong to it: an outage is one gap for each sender."""


def gap_closer_spec(serving: Serving, sockets: OpenSockets) -> ChildSpec:
    """Return the child specification of the gap closer. Without a cluster it does not start."""
    return ChildSpec(id="gap closer", start=(_start, (serving, sockets), {}))


def _start(serving: Serving, sockets: OpenSockets) -> Ok[Pid] | Ignore:
    runtime = self_pid().runtime
    node = LocalNode.found(runtime)
    if node is None:
        return Ignore()
    pid = runtime.spawn(_close_after_gaps, serving, sockets, link=True, initial_call="GapCloser")
    node.monitor(pid)
    return Ok(pid)


async def _close_after_gaps(serving: Serving, sockets: OpenSockets) -> None:
    """Run the process."""
    while True:
        gap = await receive()
        if type(gap) is not Gap:
            continue
        until = self_pid().runtime.now() + TOGETHER
        while (left := until - self_pid().runtime.now()) > 0:
            try:
                await receive(timeout=left)
            except TimeoutError:
                break
        await _close(serving, list(sockets.pids))


async def _close(serving: Serving, transports: list[Pid]) -> None:
    """Close these sockets; those whose channels have not answered within the limit of `drain` at once."""
    if events.closing_after_gap.handlers:
        events.closing_after_gap.emit(endpoint=serving.endpoint.name, transports=len(transports))
    options = serving.endpoint.drain
    watches = {monitor(pid): pid for pid in transports}
    left = set(watches)
    with counted(self_pid().runtime.timers, options.limit):
        await finish(transports, (), left, options)
    for watch in left:
        demonitor(watch, flush=True)
        watches[watch].exit(SHUTDOWN)
