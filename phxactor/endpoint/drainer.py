"""The drainer: the last child of the endpoint, so the first to be told to stop; it empties the house.

Told to stop, it ends the listener, so that nobody else comes in; then tells the transports to finish, in batches, so
that not all clients come back to another server at once; and waits until they have. A transport that is told reads
nothing more, lets its channels answer what was received, and closes with 1012 (Phoenix 1.8, PoolDrainer).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from phxactor.endpoint import events
from phxactor.otp import ChildSpec, Ok
from phxactor.runtime import SHUTDOWN, Exit, Exited, Pid, monitor, receive, self_pid, trap_exit
from phxactor.socket.messages import DRAIN

if TYPE_CHECKING:
    from phxactor.endpoint.endpoint import Endpoint


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
    """Seconds that all of it may take; whoever is left then is closed at once."""


def drainer_spec(endpoint: Endpoint, options: DrainOptions) -> ChildSpec:
    """Say how a supervisor starts it."""
    return ChildSpec(id="drainer", start=(_start, (endpoint, options), {}), shutdown=options.limit)


def _start(endpoint: Endpoint, options: DrainOptions) -> Ok[Pid]:
    endpoint.draining = False  # it may be a restart
    return Ok(self_pid().runtime.spawn(_drain, endpoint, options, link=True, initial_call="Drainer"))


async def _drain(endpoint: Endpoint, options: DrainOptions) -> None:
    """Be the process."""
    trap_exit()
    told = await receive(lambda message: isinstance(message, Exited))
    if isinstance(told, Exited) and told.reason != SHUTDOWN:
        raise Exit(told.reason)
    if endpoint.listener is not None and not endpoint.listener.alive:
        raise Exit(SHUTDOWN)  # it is the listener that has died, and starts again with this process: connections go on
    if endpoint.listener is not None:
        gone = monitor(endpoint.listener)
        endpoint.listener.exit(SHUTDOWN)
        await receive(lambda message: getattr(message, "ref", None) is gone)
    endpoint.draining = True
    transports = await endpoint.transports()
    if events.draining.handlers:
        events.draining.emit(transports=len(transports))
    ends = {monitor(pid) for pid in transports}
    runtime = self_pid().runtime
    for start in range(0, len(transports), options.batch_size):
        for pid in transports[start : start + options.batch_size]:
            if pid in endpoint.idle:
                pid.exit(SHUTDOWN)
            else:
                pid.send(DRAIN)
        next_batch = runtime.now() + options.interval
        last = start + options.batch_size >= len(transports)
        while ends and (last or runtime.now() < next_batch):
            try:
                down = await receive(
                    lambda message: getattr(message, "ref", None) in ends,
                    timeout=None if last else max(0.0, next_batch - runtime.now()),
                )
            except TimeoutError:
                break
            ends.discard(down.ref)  # type: ignore[attr-defined]  # matched above
    raise Exit(SHUTDOWN)
