"""The rows of the dependency table for what trio gives programs to share: events, locks, limits and memory channels.

Each is one object of the table. Whoever waits for it, takes it, gives it back or puts something in changes it; whoever
only looks reads it. `Event.wait` reads too: whether it waits depends on what was before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, Protocol
from unittest.mock import patch

import trio

from phxactor.runtime import private

_sync: Final = private("_sync", "_LockImpl", package="trio")
_channel: Final = private("_channel", "MemoryChannelState", package="trio")

CHANGES: Final[dict[type, tuple[str, ...]]] = {
    trio.Event: ("set",),
    _sync._LockImpl: ("acquire_nowait", "acquire", "release"),  # noqa: SLF001 - checked above
    trio.Condition: ("acquire_nowait", "acquire", "release", "wait", "notify", "notify_all"),
    trio.Semaphore: ("acquire_nowait", "acquire", "release"),
    trio.CapacityLimiter: (
        *("acquire_nowait", "acquire", "acquire_on_behalf_of_nowait", "acquire_on_behalf_of"),
        *("release", "release_on_behalf_of"),
    ),
    trio.MemorySendChannel: ("send_nowait", "send", "clone", "close", "aclose"),
    trio.MemoryReceiveChannel: ("receive_nowait", "receive", "clone", "close", "aclose"),
}
READS: Final[dict[type, tuple[str, ...]]] = {
    trio.Event: ("is_set", "wait", "statistics"),
    _sync._LockImpl: ("locked", "statistics"),  # noqa: SLF001
    trio.Condition: ("locked", "statistics"),
    trio.Semaphore: ("value", "statistics"),
    trio.CapacityLimiter: ("total_tokens", "borrowed_tokens", "available_tokens", "statistics"),
    trio.MemorySendChannel: ("statistics",),
    trio.MemoryReceiveChannel: ("statistics",),
}
"""Methods and properties; a property that is set changes its object."""
MADE: Final = (*(owner for owner in CHANGES if not owner.__name__.startswith("Memory")), _channel.MemoryChannelState)


class Primitives(Protocol):
    """What is told of each primitive that is made and touched."""

    def made(self, kind: str, thing: object) -> None:
        """Name an object by its maker."""

    def touched(self, thing: object, *, changed: bool) -> None:
        """Note that the current step touches an object."""


@contextmanager
def touching_primitives(told: Primitives) -> Iterator[None]:
    """Tell of each use of a primitive while the block lasts."""
    with ExitStack() as stack:
        for owner in MADE:
            stack.enter_context(patch.object(owner, "__init__", _making(owner, told)))
        for table, changed in ((CHANGES, True), (READS, False)):
            for owner, names in table.items():
                for name in names:
                    stack.enter_context(patch.object(owner, name, _touching(vars(owner)[name], told, changed=changed)))
        yield


def _making(owner: Any, told: Primitives) -> Callable[..., None]:  # noqa: ANN401 - any class of trio
    begin = owner.__init__

    def made(thing: object, *args: Any, **options: Any) -> None:  # noqa: ANN401 - those of the class
        begin(thing, *args, **options)
        told.made(owner.__name__.lower(), thing)

    return made


def _touching(member: Any, told: Primitives, *, changed: bool) -> Any:  # noqa: ANN401 - a method or a property
    if isinstance(member, property):
        setter = member.fset
        return property(
            _telling(member.fget, told, changed=changed), setter and _telling(setter, told, changed=True), member.fdel
        )
    return _telling(member, told, changed=changed)


def _telling(function: Any, told: Primitives, *, changed: bool) -> Any:  # noqa: ANN401
    def telling(thing: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        told.touched(getattr(thing, "_state", thing), changed=changed)
        return function(thing, *args, **options)

    return telling
