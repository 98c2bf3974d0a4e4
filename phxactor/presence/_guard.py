"""Runs the callbacks of a program: whatever one does, it gets one log line, and nothing else changes (PR31, PR132)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, final

import orjson
import trio

from phxactor.presence import events
from phxactor.presence._element import Grouped
from phxactor.presence._metas import REF
from phxactor.presence._options import CALLBACK_LIMIT
from phxactor.runtime import Exit

T = TypeVar("T")
Fetch = Callable[[str, Grouped], Awaitable[object]]


@final
class Guard:
    """Calls the callbacks of one Presence or Tracker."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        """`name` is that of the Presence, for the log."""
        self._name: Final = name

    def failed(self, callback: str, topic: str | None, why: str, exception: BaseException | None = None) -> None:
        """Emit `callback_failed`."""
        if events.callback_failed.handlers:
            events.callback_failed.emit(
                presence=self._name, callback=callback, topic=topic, why=why, exception=exception
            )

    async def call(self, callback: str, topic: str | None, awaitable: Awaitable[T], otherwise: T) -> T:
        """Await a callback for at most five seconds; return `otherwise` if it raises, or takes longer."""
        with trio.move_on_after(CALLBACK_LIMIT):
            try:
                return await awaitable
            except BaseException as error:  # the program's code, which must hurt nobody else
                if not _is_fault(error):
                    raise
                self.failed(callback, topic, f"raised {type(error).__name__}: {error}", error)
                return otherwise
        self.failed(callback, topic, f"took longer than {CALLBACK_LIMIT:.0f} s, and was cancelled")
        return otherwise

    async def fetch(self, fetch: Fetch, topic: str, plain: Grouped) -> Grouped:
        """Return what `fetch` makes of presences; as they are if it fails, takes too long, or returns nonsense."""
        if not plain:
            return plain
        given = {key: {"metas": list(entry["metas"])} for key, entry in plain.items()}
        result = await self.call("fetch", topic, fetch(topic, given), plain)
        if result is plain:
            return plain
        why = _wrong(result, plain)
        if why is None:
            return result  # type: ignore[return-value] # it has been checked
        self.failed("fetch", topic, why)
        return plain


def _is_fault(error: BaseException) -> bool:
    """Say whether the program has raised it: an error, or an exit such as that of a call that nobody answers."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_fault(one) for one in error.exceptions)
    return isinstance(error, Exception | Exit)


def _wrong(result: object, given: Grouped) -> str | None:
    """Say what is wrong with a result of `fetch`. It may leave out keys, which hides them."""
    if not isinstance(result, dict):
        return f"returned {result!r:.100} instead of a dict of presences"
    for key, entry in result.items():
        if key not in given:
            return f"returned the key {key!r:.100}, which it was not given"
        if not isinstance(entry, dict) or not isinstance(entry.get("metas"), list):
            return f"returned a presence of {key!r:.100} without metas"
        refs = {meta.get(REF) if isinstance(meta, dict) else None for meta in entry["metas"]}
        if not refs or not refs <= {meta[REF] for meta in given[key]["metas"]}:
            return f"returned a presence of {key!r:.100} with other metas"
    try:
        orjson.dumps(result)
    except TypeError as error:
        return f"returned what JSON cannot hold: {error}"
    return None
