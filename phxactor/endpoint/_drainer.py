"""The drainer: it lets all clients go when the endpoint stops. It is the endpoint's last child, so the first to stop.

The drainer ends the listener first, so that no more clients connect. Then it tells the transports to finish, in
batches, so that not all clients reconnect to another server at once. It waits until all have finished, or until its
limit. A transport that is told reads nothing more, lets its channels answer the messages it has received, and closes
with 1012 (Phoenix 1.8, PoolDrainer).

The supervisor ends the drainer in two cases. At a stop, all other children still run. After the crash of a child, the
children behind it restart, the drainer among them: then it drains nothing, so that the endpoint serves again at once.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from phxactor.endpoint import events
from phxactor.endpoint._finishing import finish
from phxactor.otp import ChildSpec, Ok
from phxactor.runtime import (
    SHUTDOWN,
    Exit,
    Exited,
    Monitor,
    Pid,
    counted,
    is_atom,
    monitor,
    receive,
    self_pid,
    trap_exit,
)

if TYPE_CHECKING:
    from phxactor.endpoint._options import DrainOptions
    from phxactor.endpoint._serving import Serving

FRESH: Final = 1.0
"""Seconds that a client which has just connected has for its first request, which is answered."""
SILENCE: Final = 1.0
"""Seconds of draining after which `events.drain_waits` says how many transports have not finished."""
GRACE: Final = 30.0
"""Seconds from the drainer's limit until its supervisor kills it; it needs them only if the whole program hangs."""


def drainer_spec(serving: Serving) -> ChildSpec:
    """Return the child spec of the drainer; the drainer itself keeps the limit of `DrainOptions`."""
    drain = serving.endpoint.drain
    return ChildSpec(id="drainer", start=(_start, (serving,), {}), shutdown=drain.notice + drain.limit + GRACE)


def _start(serving: Serving) -> Ok[Pid]:
    serving.draining = serving.leaving = False  # True if this is a restart
    return Ok(self_pid().runtime.spawn(_drain, serving, link=True, initial_call="Drainer"))


async def _drain(serving: Serving) -> None:
    """Run the drainer's process."""
    trap_exit()
    options = serving.endpoint.drain
    told = await receive(lambda message: type(message) is Exited)
    if type(told) is Exited and not is_atom(told.reason, SHUTDOWN):
        raise Exit(told.reason)
    if serving.has_lost_a_child():  # a crash, no stop: the children behind it restart, this one too, so drain nothing
        serving.flusher.expect_successor()
        raise Exit(SHUTDOWN)
    if options.notice:
        serving.leaving = True
        await _pass(options.notice)
    left: set[Monitor] = set()
    timer = self_pid().runtime.timers.add(SILENCE, lambda left: _tell_waiting(left, options), left)
    with counted(self_pid().runtime.timers, options.limit) as scope:
        await _empty(serving, options, left)
    self_pid().runtime.timers.discard(timer)
    if scope.cancelled_caught and events.undrained.handlers:
        events.undrained.emit(transports=len(left), seconds=options.limit)
    raise Exit(SHUTDOWN)


async def _empty(serving: Serving, options: DrainOptions, left: set[Monitor]) -> None:
    """End the listeners, tell all transports to finish, and wait; `left` holds those that have not finished."""
    for name in serving.listeners:
        listener = serving.child(name)
        if listener is not None:
            gone = monitor(listener)
            listener.exit(SHUTDOWN)
            await self_pid().receive_ref(gone, 0, None)
    serving.draining = True
    if serving.relay is not None:
        serving.relay.drain()
    transports = await serving.transports()
    if events.draining.handlers:
        events.draining.emit(transports=len(transports))
    left.update([monitor(pid) for pid in transports])
    timers = self_pid().runtime.timers
    timer = timers.add(FRESH, _end_fresh, serving)
    try:
        await finish(transports, serving.idle, left, options)
    finally:
        timers.discard(timer)


def _end_fresh(serving: Serving) -> None:
    """End the connections of clients that have connected and sent nothing since."""
    for pid in list(serving.fresh):
        pid.exit(SHUTDOWN)


async def _pass(seconds: float) -> None:
    """Wait for some seconds; messages wait too."""
    with suppress(TimeoutError):
        await receive(lambda _: False, timeout=seconds)


def _tell_waiting(left: set[Monitor], options: DrainOptions) -> None:
    if events.drain_waits.handlers:
        events.drain_waits.emit(transports=len(left), seconds=options.limit)
