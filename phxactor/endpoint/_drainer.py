"""The drainer: the last child of the endpoint, so the first to be told to stop; it empties the house.

Told to stop, it ends the listener, so that nobody else comes in; then tells the transports to finish, in batches, so
that not all clients come back to another server at once; and waits until they have, or for its limit. A transport that
is told reads nothing more, lets its channels answer what was received, and closes with 1012 (Phoenix 1.8, PoolDrainer).

Its supervisor tells it to end in two cases. At a stop, all other children still run. After the crash of one of them,
those behind it start again, the drainer too: then nothing is drained, so that the endpoint serves again at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from phxactor.endpoint import events
from phxactor.otp import ChildSpec, Ok
from phxactor.runtime import (
    SHUTDOWN,
    Down,
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
from phxactor.socket import DRAIN

if TYPE_CHECKING:
    from phxactor.endpoint._options import DrainOptions
    from phxactor.endpoint._serving import Serving

SILENCE: Final = 1.0
"""Seconds after which who watches is told what is waited for."""
GRACE: Final = 30.0
"""Seconds that the drainer has to end after its limit; it needs none, unless the whole program was held up."""


def drainer_spec(serving: Serving) -> ChildSpec:
    """Say how a supervisor starts it; it keeps its limit by itself."""
    return ChildSpec(id="drainer", start=(_start, (serving,), {}), shutdown=serving.endpoint.drain.limit + GRACE)


def _start(serving: Serving) -> Ok[Pid]:
    serving.draining = False  # it may be a restart
    return Ok(self_pid().runtime.spawn(_drain, serving, link=True, initial_call="Drainer"))


async def _drain(serving: Serving) -> None:
    """Be the process."""
    trap_exit()
    options = serving.endpoint.drain
    told = await receive(lambda message: type(message) is Exited)
    if type(told) is Exited and not is_atom(told.reason, SHUTDOWN):
        raise Exit(told.reason)
    if serving.has_lost_a_child():  # all that stood behind it starts again, this process too: nothing is waited for
        serving.flusher.expect_successor()
        raise Exit(SHUTDOWN)
    left: set[Monitor] = set()
    timer = self_pid().runtime.timers.add(SILENCE, lambda left: _tell_waiting(left, options), left)
    with counted(self_pid().runtime.timers, options.limit) as scope:
        await _empty(serving, options, left)
    self_pid().runtime.timers.discard(timer)
    if scope.cancelled_caught and events.undrained.handlers:
        events.undrained.emit(transports=len(left), seconds=options.limit)
    raise Exit(SHUTDOWN)


async def _empty(serving: Serving, options: DrainOptions, left: set[Monitor]) -> None:
    """Let nobody else in, tell who is there, and wait; `left` is those who have not finished yet."""
    listener = serving.child("listener")
    if listener is not None:
        gone = monitor(listener)
        listener.exit(SHUTDOWN)
        await self_pid().receive_ref(gone, 0, None)
    serving.draining = True
    transports = await serving.transports()
    if events.draining.handlers:
        events.draining.emit(transports=len(transports))
    left.update([monitor(pid) for pid in transports])
    runtime = self_pid().runtime
    for start in range(0, len(transports), options.batch_size):
        for pid in transports[start : start + options.batch_size]:
            if pid in serving.idle:
                pid.exit(SHUTDOWN)
            else:
                pid.send(DRAIN)
        next_batch = runtime.now() + options.interval
        last = start + options.batch_size >= len(transports)
        while left and (last or runtime.now() < next_batch):
            try:
                down = await self_pid().receive_refs(left, 0, None if last else max(0.0, next_batch - runtime.now()))
            except TimeoutError:
                break
            if type(down) is Down:
                left.discard(down.ref)


def _tell_waiting(left: set[Monitor], options: DrainOptions) -> None:
    if events.drain_waits.handlers:
        events.drain_waits.emit(transports=len(left), seconds=options.limit)
