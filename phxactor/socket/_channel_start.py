"""How a channel is started below its pool: a `Channel`, or anything with `start_link` or `child_spec`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import Final

from phxactor.otp import ChildSpec, Error, Ok, Started
from phxactor.runtime import From, Pid, disown, own, self_pid
from phxactor.socket._socket import Socket

TOO_LATE: Final = Error("join_timeout")
"""The result of a start that has taken longer than a join may."""


def channel_spec(
    handler: object, arguments: tuple[object, From, Socket], seconds: float
) -> tuple[ChildSpec, tuple[object, ...]]:
    """Say how a channel is started: by its `child_spec(arguments)`, or its `start_link(arguments)`.

    A class with a `shared_spec`, as a `Channel` has, is started from that one specification, with the arguments beside
    it: making, checking and keeping another one for each channel would cost more.

    The specification is always temporary: the client joins again, no supervisor restarts a channel. A start that waits
    fails after so many seconds, or when its client leaves, for it holds up its supervisor.

    Raises TypeError if `child_spec` returns anything else, and whatever `child_spec` raises.
    """
    shared = getattr(handler, "shared_spec", None)
    if shared is not None:
        return shared, (arguments,)
    child_spec = getattr(handler, "child_spec", None)
    if child_spec is not None:
        spec = child_spec(arguments)
        if not isinstance(spec, ChildSpec):
            raise TypeError(f"child_spec of {handler!r:.100} returned {spec!r:.100}, and not a ChildSpec")
    else:
        start_link = handler.start_link  # type: ignore[attr-defined]  # checked when the socket's class was made
        spec = ChildSpec(id=handler, start=(start_link, (arguments,), {}), restart="temporary")
    in_time = ChildSpec(
        id=spec.id,
        start=(_start_in_time, (seconds, arguments[2].transport_pid, *spec.start), {}),
        restart="temporary",
        shutdown=spec.shutdown,
        type=spec.type,
        modules=spec.callback_modules(),
    )
    return in_time, ()


async def _start_in_time(
    seconds: float,
    transport: Pid,
    start: Callable[..., Started | Awaitable[Started]],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
) -> Started:
    """Start a channel; a function that is not `async` may return what has to be awaited, too."""
    started = start(*args, **kwargs)
    if type(started) is Ok or not isawaitable(started):
        return started
    with self_pid().runtime.patience.move_on_after(seconds) as scope:

        def leave(_: Pid) -> None:
            scope.cancel(reason="the client has left")

        own(transport, leave)  # at once, if it has
        try:
            return await started
        finally:
            disown(transport, leave)
    return TOO_LATE
