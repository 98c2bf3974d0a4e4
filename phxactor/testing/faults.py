"""Injected faults: a callback that raises, a process that is killed at its nth message or after a certain message.

    with crashing(Room, "join"): ...                            its first call raises
    with crashing(Room, "terminate", at=2, error=OSError()): ...
    with dying_at(3, lambda pid: pid.label == "room:1"): ...    killed when it has taken its third message
    with dying_after(SocketClose): ...                          killed between `socket_close` and its exit

A fault is in force while its block lasts, in all runtimes of the thread. The block gets a list of the processes that
the fault has hit: `with dying_at(...) as hit: ...`. So a test can check that the fault happened at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

from phxactor.channels import Channel, collect
from phxactor.runtime import KILL, Pid, Reason, exit_signal
from phxactor.testing._faults_receiving import anybody, dying_at
from phxactor.testing._trace import Happening
from phxactor.testing._tracing import tracing

__all__ = ["Injected", "crashing", "dying_after", "dying_at"]


class Injected(Exception):
    """The error that `crashing` raises by default."""


@contextmanager
def crashing(owner: type, callback: str, *, at: int = 1, error: BaseException | None = None) -> Iterator[list[object]]:
    """Make the nth call of a callback raise instead of running; calls are counted over all processes.

    Args:
        owner: the class of a server or channel.
        callback: the name of a method: `init`, `join`, `handle_in`, `handle_info`, `terminate`, or one with `@on` or
            `@intercept`.
        at: the number of the call, from 1.
        error: the exception to raise; by default `Injected`.

    The block gets a list of the servers or channels that were hit.

    Raises:
        AttributeError: there is no such method.
        ValueError: `at` is below 1.

    """
    if at < 1:
        raise ValueError(f"the first call is number 1: there is no {at}")
    method: Callable[..., Awaitable[object]] = getattr(owner, callback)
    hit: list[object] = []
    calls = 0

    @wraps(method)
    async def crash(*args: Any, **kwargs: Any) -> object:  # noqa: ANN401 - those of the method
        nonlocal calls
        calls += 1
        if calls == at:
            hit.append(args[0])
            raise error or Injected(f"call {at} of {owner.__qualname__}.{callback}")
        return await method(*args, **kwargs)

    with patch.object(owner, callback, crash), ExitStack() as stack:
        for subclass in _with_subclasses(owner):
            if issubclass(subclass, Channel):
                stack.enter_context(patch.object(subclass, "on_handlers", collect(subclass, "on")))
                stack.enter_context(patch.object(subclass, "intercept_handlers", collect(subclass, "intercept")))
        yield hit


def _with_subclasses(owner: type) -> Iterator[type]:
    """Return a class and all its subclasses."""
    yield owner
    subclasses: list[type] = type.__subclasses__(owner)
    for subclass in subclasses:
        yield from _with_subclasses(subclass)


@contextmanager
def dying_after(
    message: type | tuple[type, ...], who: Callable[[Pid], bool] = anybody, *, reason: Reason = KILL
) -> Iterator[list[Pid]]:
    """Send a process an exit signal when it has sent a message of this type. It ends when it waits next.

    The block gets a list of the processes that were sent the signal.
    """
    hit: list[Pid] = []

    def listen(happening: Happening) -> None:
        by = happening.by
        if happening.verb == "sends" and isinstance(happening.what, message) and by is not None and who(by):
            hit.append(by)
            exit_signal(by, by.runtime.outside, reason)

    with tracing() as trace:
        trace.listeners.append(listen)
        yield hit
