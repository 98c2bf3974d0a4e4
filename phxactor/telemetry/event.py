"""Events with measurements: what a running system says about itself, and who listens.

An `Event` is declared once, by the module that emits it, and lives for ever. Nothing is logged or counted
by the code that does the work: a logger, a metrics exporter or a test attaches a handler to the event. An
event without handlers costs one attribute test, because emitters ask first:

    if joined.handlers:
        joined.emit(topic=topic, seconds=elapsed)

A handler that raises is detached and reported to the logger `phxactor.telemetry`; it never hurts the emitter.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import CodeType
from typing import Final, Self, TypeAlias, cast

from phxactor.telemetry.log_line import write

Handler: TypeAlias = Callable[["Event", Mapping[str, object]], None]
"""Called with the event and its fields, synchronously, in the process that emits."""

_logger = logging.getLogger("phxactor.telemetry")

EVENTS: Final[dict[str, Event]] = {}
"""Every declared event by name."""


class Event:
    """A named happening, e.g. `phxactor.process.crashed`.

    `handlers` is a tuple, so that a handler may attach or detach while the event is emitted.

    A module that is executed again (`importlib.reload`, a cell of a notebook) gets the event that it has declared
    before. What others have attached stays attached; what the module itself has attached is replaced by what it
    attaches now. Any other declaration of a name that is taken raises ValueError.
    """

    __slots__ = ("_code", "_module", "doc", "handlers", "name")

    _code: CodeType
    _module: object
    doc: str
    handlers: tuple[Handler, ...]
    name: str

    def __new__(cls, name: str, doc: str) -> Self:
        """Declare the event; `doc` says when it happens and which fields it carries."""
        frame = sys._getframe(1)  # noqa: SLF001 - documented: whoever declares it
        module, code = frame.f_globals.get("__name__"), frame.f_code
        event = EVENTS.get(name)
        if event is None:
            event = EVENTS[name] = super().__new__(cls)
            event.name = name
            event.handlers = ()
        elif event._module != module or event._code is code or code.co_name != "<module>":
            raise ValueError(f"there is already an event named {name!r}")
        else:
            event.handlers = tuple(handler for handler in event.handlers if _module_of(handler) != module)
        event.doc = doc
        event._module, event._code = module, code
        return cast("Self", event)

    def __repr__(self) -> str:
        """Show the name."""
        return f"<Event {self.name}>"

    def attach(self, handler: Handler) -> None:
        """Call `handler(event, fields)` at each emission from now on; attaching twice is once."""
        if handler not in self.handlers:
            self.handlers = (*self.handlers, handler)

    def detach(self, handler: Handler) -> None:
        """Stop calling `handler`; unknown handlers are ignored."""
        self.handlers = tuple(known for known in self.handlers if known != handler)

    def emit(self, **fields: object) -> None:
        """Tell every handler, in the order in which they were attached. Raises nothing."""
        for handler in self.handlers:
            try:
                handler(self, fields)
            except BaseException as error:  # noqa: BLE001 - a sys.exit too: the emitter's process has not called it
                self.handlers = tuple(known for known in self.handlers if known is not handler)
                _tell(self.name, handler, error)


def _tell(name: str, handler: Handler, error: BaseException) -> None:
    """Log that a handler was detached; a filter of that logger, or the handler's `__repr__`, may raise as well."""
    try:
        shown = repr(handler)
    except BaseException:  # noqa: BLE001 - see above
        shown = object.__repr__(handler)
    with suppress(BaseException):
        write(_logger, logging.ERROR, f"handler {shown} of {name} raised and was detached", {}, error)


def _module_of(handler: Handler) -> object:
    """Return the module in which a handler was written."""
    try:
        return handler.__module__
    except BaseException:  # noqa: BLE001 - whatever is callable may be a handler
        return None
