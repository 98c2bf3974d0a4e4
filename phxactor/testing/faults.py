"""Faults, put where they hurt: a callback that crashes, a process that dies at its third message or at its last gasp.

    with crashing(Room, "join"): ...                            its first call raises
    with crashing(Room, "terminate", at=2, error=OSError()): ...
    with dying_at(3, lambda pid: pid.label == "room:1"): ...    killed with its third message in its hands
    with dying_after(SocketClose): ...                          killed between `socket_close` and its exit

Each is in force while its block lasts, in all runtimes of the thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import trio

from phxactor.runtime import KILL, Pid, Reason
from phxactor.runtime.receiving import Receiver
from phxactor.runtime.signals import exit_signal
from phxactor.testing.tracing import Happening, tracing


class Injected(Exception):
    """What a callback raises that was made to crash."""


def anybody(_: Pid) -> bool:
    """Choose every process."""
    return True


@contextmanager
def crashing(owner: type, callback: str, *, at: int = 1, error: BaseException | None = None) -> Iterator[None]:
    """Have the nth call of a callback raise, counted over all processes, in place of what it does.

    `owner` is the class of a server or channel, `callback` a method: `init`, `join`, `handle_in`, `terminate`, one
    with `@on`. It raises `Injected` unless given an `error`. Raises AttributeError if there is no such method.
    """
    method: Callable[..., Awaitable[object]] = getattr(owner, callback)
    calls = 0

    async def crash(*args: Any, **kwargs: Any) -> object:  # noqa: ANN401 - those of the method
        nonlocal calls
        calls += 1
        if calls == at:
            raise error or Injected(f"call {at} of {owner.__qualname__}.{callback}")
        return await method(*args, **kwargs)

    handlers = {event: crash for event, known in getattr(owner, "on_handlers", {}).items() if known is method}
    with patch.object(owner, callback, crash), patch.dict(getattr(owner, "on_handlers", {}), handlers):
        yield


@contextmanager
def dying_at(nth: int, who: Callable[[Pid], bool] = anybody, *, reason: Reason = KILL) -> Iterator[None]:
    """Send a process an exit signal when it has taken its nth message, before it does anything with it.

    Each process that is chosen has a count of its own; it has to start within the block, and it is one that receives:
    ports do not. With another reason than `KILL`, one that traps exits lives on, and takes the signal as a message.
    """
    taken: Counter[Receiver] = Counter()
    receive = Receiver.receive

    async def dying(receiver: Receiver, timeout: float | None = None) -> object:
        message = await receive(receiver, timeout)
        if isinstance(receiver, Pid) and who(receiver):
            taken[receiver] += 1
            if taken[receiver] == nth:
                exit_signal(receiver, receiver.runtime.outside, reason)
                await trio.lowlevel.checkpoint()
        return message

    with patch.object(Receiver, "receive", dying):
        yield


@contextmanager
def dying_after(
    message: type | tuple[type, ...], who: Callable[[Pid], bool] = anybody, *, reason: Reason = KILL
) -> Iterator[None]:
    """Send a process an exit signal when it has sent a message of this type; it ends at its next wait."""

    def listen(happening: Happening) -> None:
        by = happening.by
        if happening.verb == "sends" and isinstance(happening.what, message) and by is not None and who(by):
            exit_signal(by, by.runtime.outside, reason)

    with tracing() as trace:
        trace.listeners.append(listen)
        yield
