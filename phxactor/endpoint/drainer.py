"""The drainer: the last child of the endpoint, so the first to be told to stop; it empties the house.

Told to stop, it ends the listener, so that nobody else comes in; then tells the transports to finish, in batches, so
that not all clients come back to another server at once; and waits until they have, or for its limit. A transport that
is told reads nothing more, lets its channels answer what was received, and closes with 1012 (Phoenix 1.8, PoolDrainer).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from phxactor.endpoint import events
from phxactor.otp import ChildSpec, Ok
from phxactor.runtime import (
    SHUTDOWN,
    Exit,
    Exited,
    Monitor,
    Pid,
    is_atom,
    monitor,
    receive,
    ref_of,
    self_pid,
    trap_exit,
)
from phxactor.socket.messages import DRAIN

if TYPE_CHECKING:
    from phxactor.endpoint.endpoint import Endpoint

SILENCE: Final = 1.0
"""Seconds after which who watches is told what is waited for."""
GRACE: Final = 30.0
"""Seconds that the drainer has to end after its limit; it needs none, unless the whole program was held up."""


def _positive(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ValueError(f"{field.name} is a number above 0, not {value!r}")


def _whole(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{field.name} is a whole number from 1, not {value!r}")


@attrs.frozen(kw_only=True)
class DrainOptions:
    """How an endpoint empties itself when it is told to stop; the defaults are those of Phoenix 1.8.

    Raises ValueError for what is not a number above 0.
    """

    batch_size: int = attrs.field(default=10_000, validator=_whole)
    """Transports that are told at once."""
    interval: float = attrs.field(default=2.0, validator=_positive)
    """Seconds between two batches; the next one does not wait longer than that for the last."""
    limit: float = attrs.field(default=30.0, validator=_positive)
    """Seconds that all of it may take, `math.inf` for any; whoever is left then is closed at once."""


def drainer_spec(endpoint: Endpoint, options: DrainOptions) -> ChildSpec:
    """Say how a supervisor starts it; it keeps its limit by itself."""
    return ChildSpec(id="drainer", start=(_start, (endpoint, options), {}), shutdown=options.limit + GRACE)


def _start(endpoint: Endpoint, options: DrainOptions) -> Ok[Pid]:
    endpoint.draining = False  # it may be a restart
    return Ok(self_pid().runtime.spawn(_drain, endpoint, options, link=True, initial_call="Drainer"))


async def _drain(endpoint: Endpoint, options: DrainOptions) -> None:
    """Be the process."""
    trap_exit()
    told = await receive(lambda message: type(message) is Exited)
    if type(told) is Exited and not is_atom(told.reason, SHUTDOWN):
        raise Exit(told.reason)
    if endpoint.listener is not None and not endpoint.listener.alive:
        raise Exit(SHUTDOWN)  # it is the listener that has died, and starts again with this process: connections go on
    left: set[Monitor] = set()
    timer = self_pid().runtime.timers.add(SILENCE, lambda left: _tell_waiting(left, options), left)
    with self_pid().runtime.patience.move_on_after(options.limit) as scope:
        await _empty(endpoint, options, left)
    self_pid().runtime.timers.discard(timer)
    if scope.cancelled_caught and events.undrained.handlers:
        events.undrained.emit(transports=len(left), seconds=options.limit)
    raise Exit(SHUTDOWN)


async def _empty(endpoint: Endpoint, options: DrainOptions, left: set[Monitor]) -> None:
    """Let nobody else in, tell who is there, and wait; `left` is those who have not finished yet."""
    if endpoint.listener is not None:
        gone = monitor(endpoint.listener)
        endpoint.listener.exit(SHUTDOWN)
        await receive(lambda message: ref_of(message) is gone)
    endpoint.draining = True
    transports = await endpoint.transports()
    if events.draining.handlers:
        events.draining.emit(transports=len(transports))
    left.update([monitor(pid) for pid in transports])
    runtime = self_pid().runtime
    for start in range(0, len(transports), options.batch_size):
        for pid in transports[start : start + options.batch_size]:
            if pid in endpoint.idle:
                pid.exit(SHUTDOWN)
            else:
                pid.send(DRAIN)
        next_batch = runtime.now() + options.interval
        last = start + options.batch_size >= len(transports)
        while left and (last or runtime.now() < next_batch):
            try:
                down = await receive(
                    lambda message: ref_of(message) in left,
                    timeout=None if last else max(0.0, next_batch - runtime.now()),
                )
            except TimeoutError:
                break
            left.discard(down.ref)


def _tell_waiting(left: set[Monitor], options: DrainOptions) -> None:
    if events.drain_waits.handlers:
        events.drain_waits.emit(transports=len(left), seconds=options.limit)
