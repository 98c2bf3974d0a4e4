"""Notes on exceptions that are known to come from asyncio and trio being mixed: they say what to do.

A library for asyncio raises them in a process without an asyncio loop, and they name neither the library nor a way out.
They are looked at only when they have ended a process, or a callback of the program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final

PAGE: Final = "docs/libraries.md"
NEEDS_ASYNCIO: Final = (
    "phxactor: this code runs on trio, and a library in it needs asyncio. Call it by asyncio_call, or use its "
    f"synchronous side in a thread: see {PAGE}"
)
NEEDS_TRIO: Final = (
    "phxactor: this code runs in asyncio_call, so on asyncio, and awaits something of trio's, such as call, receive or "
    f"trio.sleep. Await that outside of asyncio_call: see {PAGE}"
)
MOST: Final = 100
"""Number of exceptions that are looked at, of those in a group or a chain of causes."""

_NO_LOOP: Final = ("no running event loop", "no running loop", "no current event loop")
_BAD_YIELD: Final = tuple(
    f"Task got bad yield: {trap}"
    for trap in ("<class 'trio.", "WaitTaskRescheduled(", "PermanentlyDetachCoroutineObject(")
)
"""What asyncio says of an await of trio's."""
_OUTSIDE_OF_TRIO: Final = "must be called from async context"
_LOOP_METHODS: Final = frozenset(
    {
        "call_at",
        "call_later",
        "call_soon",
        "create_future",
        "create_task",
        "run_aio_coroutine",
        "run_in_executor",
        "time",
    }
)
"""What libraries ask of a loop; where there is none, they ask it of None."""


def explain(error: BaseException, *, in_asyncio: bool = False) -> None:
    """Add a note to an exception that comes from mixing asyncio and trio, unless it has the note. Never raises.

    The members of a group get notes of their own, as the group itself may not be reported. With `in_asyncio`, code that
    asyncio ran has raised the exception.
    """
    with suppress(Exception):
        for leaf in _walk(error, _members):
            for one in _walk(leaf, _causes):
                note = NEEDS_TRIO if in_asyncio and str(one) == _OUTSIDE_OF_TRIO else _note(one)
                if note is not None:
                    if note not in getattr(leaf, "__notes__", ()):
                        leaf.add_note(note)
                    break


def _note(error: BaseException) -> str | None:
    kind = type(error)
    if issubclass(kind, RuntimeError):
        text = str(error)
        if any(words in text for words in _NO_LOOP):
            return NEEDS_ASYNCIO
        if text.startswith(_BAD_YIELD):
            return NEEDS_TRIO
    elif issubclass(kind, TypeError):
        if str(error).startswith("trio.run received unrecognized yield message "):
            return NEEDS_ASYNCIO
    elif issubclass(kind, AttributeError):
        of_none = error.obj is None or error.obj is type(None)  # type: ignore[attr-defined]
        if of_none and error.name in _LOOP_METHODS:  # type: ignore[attr-defined]
            return NEEDS_ASYNCIO
    return None


def _walk(error: BaseException, onward: Callable[[BaseException], Iterable[BaseException]]) -> Iterator[BaseException]:
    """Yield an exception and those that `onward` leads to, each of them once, and at most `MOST`."""
    ahead = [error]
    seen: set[int] = set()
    while ahead and len(seen) < MOST:
        one = ahead.pop()
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            ahead += onward(one)


def _members(error: BaseException) -> Iterable[BaseException]:
    return error.exceptions if issubclass(type(error), BaseExceptionGroup) else ()  # type: ignore[attr-defined]


def _causes(error: BaseException) -> Iterable[BaseException]:
    """Return what caused an exception, and what was handled when it was raised."""
    return [one for one in (error.__context__, error.__cause__) if one is not None]
