"""How a channel is started below its pool: a `Channel`, or anything with `start_link` or `child_spec`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from inspect import iscoroutinefunction
from typing import Final

import attrs

from phxactor.otp import ChildSpec, Error
from phxactor.otp.child_spec import Started
from phxactor.runtime import From, Pid, disown, own, self_pid
from phxactor.socket.socket import Socket

TOO_LATE: Final = Error("join_timeout")
"""What the start of a channel answers that has taken longer than a join may."""


def channel_spec(
    handler: object, arguments: tuple[object, From, Socket], seconds: float
) -> tuple[ChildSpec, tuple[object, ...]]:
    """Say how a channel is started: by its `child_spec(arguments)`, or its `start_link(arguments)`.

    One that has a `shared_spec`, as a `Channel`, is started from that, with the arguments beside it: to make another
    specification for each, check it, and keep it without its arguments costs 3 of 160 µs.

    It is always temporary: a channel comes back by being joined again. One whose start waits is given up after so many
    seconds, or when its client leaves, for its supervisor waits with it.
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
    if iscoroutinefunction(spec.start[0]):
        spec = ChildSpec(
            id=spec.id,
            start=(_start_in_time, (seconds, arguments[2].transport_pid, *spec.start), {}),
            restart="temporary",
            shutdown=spec.shutdown,
            type=spec.type,
            modules=spec.callback_modules(),
        )
    return spec if spec.restart == "temporary" else attrs.evolve(spec, restart="temporary"), ()


async def _start_in_time(
    seconds: float,
    transport: Pid,
    start: Callable[..., Awaitable[Started]],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
) -> Started:
    with self_pid().runtime.patience.move_on_after(seconds) as scope:

        def leave(_: Pid) -> None:
            scope.cancel(reason="the client has left")

        own(transport, leave)  # at once, if it has
        try:
            return await start(*args, **kwargs)
        finally:
            disown(transport, leave)
    return TOO_LATE
