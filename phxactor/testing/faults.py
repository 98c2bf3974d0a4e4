"""Faults, put where they hurt: a callback that crashes, a process that dies at its third message or at its last gasp.

    with crashing(Room, "join"): ...                            its first call raises
    with crashing(Room, "terminate", at=2, error=OSError()): ...
    with dying_at(3, lambda pid: pid.label == "room:1"): ...    killed with its third message in its hands
    with dying_after(SocketClose): ...                          killed between `socket_close` and its exit

Each is in force while its block lasts, in all runtimes of the thread. The block is given a list of those who have been
hit, so that a test can tell a fault that did no harm from one that was never there: `with dying_at(...) as hit: ...`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

from phxactor.channels import Channel, collect
from phxactor.runtime import KILL, Pid, Reason
from phxactor.runtime.signals import exit_signal
from phxactor.testing._faults_receiving import anybody, dying_at
from phxactor.testing._tracing import Happening, tracing

__all__ = ["Injected", "crashing", "dying_after", "dying_at"]


class Injected(Exception):
    """What a callback raises that was made to crash."""


@contextmanager
def crashing(owner: type, callback: str, *, at: int = 1, error: BaseException | None = None) -> Iterator[list[object]]:
    """Have the nth call of a callback raise, counted over all processes, in place of what it does.

    `owner` is the class of a server or channel, `callback` a method: `init`, `join`, `handle_in`, `handle_info`,
    `terminate`, one with `@on` or `@intercept`. It raises `Injected` unless given an `error`. The block is given a list
    of the servers or channels that have been hit. Raises AttributeError if there is no such method, ValueError if `at`
    is below 1.
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
        for heir in _heirs(owner):
            if issubclass(heir, Channel):
                stack.enter_context(patch.object(heir, "on_handlers", collect(heir, "on")))
                stack.enter_context(patch.object(heir, "intercept_handlers", collect(heir, "intercept")))
        yield hit


def _heirs(owner: type) -> Iterator[type]:
    """List a class and all its subclasses."""
    yield owner
    heirs: list[type] = type.__subclasses__(owner)
    for heir in heirs:
        yield from _heirs(heir)


@contextmanager
def dying_after(
    message: type | tuple[type, ...], who: Callable[[Pid], bool] = anybody, *, reason: Reason = KILL
) -> Iterator[list[Pid]]:
    """Send a process an exit signal when it has sent a message of this type; it ends at its next wait.

    The block is given a list of those who have been hit.
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
