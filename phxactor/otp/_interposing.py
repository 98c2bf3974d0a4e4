"""Functions around the handling of messages, for what measures or traces: nothing is paid while there is none.

The loop of a server looks up the handler of each message in a table of its class. What measures takes the place of the
handlers in these tables, and gives it back: so servers that run already are measured from their next message on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from phxactor.otp._process import Handler, ServerProcess

Around: TypeAlias = "Callable[[type[ServerProcess], type | None, Handler], Handler]"
"""Returns what handles messages of a type (None: of all that have no entry) instead of the handler that it is given."""

_own: Final[dict[type[ServerProcess], dict[type | None, Handler]]] = {}
"""The handlers that may be replaced, as their classes have written them."""
_around: Final[list[Around]] = []


def interposable(process: type[ServerProcess], kinds: Iterable[type | None]) -> None:
    """Allow functions around the handlers of these kinds of messages in the table of a class."""
    _own[process] = {kind: process.handlers[kind] for kind in kinds}
    _replace(process)


def own_handlers(process: type[ServerProcess]) -> dict[type | None, Handler]:
    """Return the table of a class without anything around, for the tables of classes that extend it."""
    return {**process.handlers, **_own.get(process, {})}


def interpose(around: Around) -> None:
    """Put a function around the handlers of all tables, outside of those that are there already."""
    if around not in _around:
        _around.append(around)
        for process in _own:
            _replace(process)


def withdraw(around: Around) -> None:
    """Take it away; one that is not there is ignored."""
    if around in _around:
        _around.remove(around)
        for process in _own:
            _replace(process)


def _replace(process: type[ServerProcess]) -> None:
    for kind, own in _own[process].items():
        handler = own
        for around in _around:
            handler = around(process, kind, handler)
        process.handlers[kind] = handler
