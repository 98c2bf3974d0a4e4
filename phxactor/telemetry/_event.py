"""Events with measurements: what a running system reports about itself, and the handlers that listen.

An `Event` is declared once, by the module that emits it, and lives for ever. The code that does the work neither logs
nor counts: a logger, a metrics exporter or a test attaches a handler to the event. An event without handlers costs one
attribute test, because the emitter checks first:

    if joined.handlers:
        joined.emit(topic=topic, seconds=elapsed)

What costs more than that test to measure is measured only while somebody listens: `Event.on_switch` tells the module of
an event when it gets its first handler, and when it has lost its last one.

A handler that raises is detached and reported to the logger `phxactor.telemetry`. The emitter never sees the exception.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import CodeType
from typing import Any, Final, Self, TypeAlias, cast

from phxactor.telemetry._log_line import write

Handler: TypeAlias = Callable[["Event", Mapping[str, Any]], object]
"""Called with the event and its fields, synchronously, in the process that emits."""

_logger = logging.getLogger("phxactor.telemetry")

EVENTS: Final[dict[str, Event]] = {}
"""Every declared event by name."""


class Event:
    """An event with a name, e.g. `phxactor.process.crashed`.

    `handlers` is a tuple, so that a handler may attach or detach handlers while the event is emitted.

    A module that is executed again (`importlib.reload`, a cell of a notebook) gets the event that it declared before.
    Handlers of other modules stay attached. Handlers of the module itself are detached, since the module attaches them
    again. Any other declaration of a name that is taken raises ValueError.
    """

    __slots__ = ("_code", "_module", "_switches", "doc", "handlers", "level", "name")

    _code: CodeType
    _module: object
    _switches: tuple[Callable[[], object], ...]
    doc: str
    handlers: tuple[Handler, ...]
    level: int | None
    """The level of its log line, as in `logging`; None if it is not logged, or each time at a level of its own."""
    name: str

    def __new__(cls, name: str, doc: str) -> Self:
        """Declare the event; `doc` says when it happens and which fields it carries.

        Raises ValueError if another declaration has the name.
        """
        frame = sys._getframe(1)  # noqa: SLF001 - documented: the frame of the declaration
        module, code = frame.f_globals.get("__name__"), frame.f_code
        event = EVENTS.get(name)
        if event is None:
            event = EVENTS[name] = super().__new__(cls)
            event.name = name
            event.handlers = ()
            event.level = None
            event._switches = ()
        elif event._module != module or event._code is code or code.co_name != "<module>":
            raise ValueError(f"there is already an event named {name!r}, of {event._module}: choose another name")
        else:
            event._set(tuple(handler for handler in event.handlers if _module_of(handler) != module))
            event._switches = ()
        event.doc = doc
        event._module, event._code = module, code
        return cast("Self", event)

    def __repr__(self) -> str:
        """Show the name."""
        return f"<Event {self.name}>"

    def attach(self, handler: Handler) -> None:
        """Call `handler(event, fields)` at each emission from now on. Attaching it again changes nothing."""
        if handler not in self.handlers:
            self._set((*self.handlers, handler))

    def detach(self, handler: Handler) -> None:
        """Stop calling `handler`. A handler that is not attached is ignored."""
        self._set(tuple(known for known in self.handlers if known != handler))

    def on_switch(self, function: Callable[[], object]) -> None:
        """Call `function()` whenever the event gets its first handler or has lost its last one; at once if it has one.

        For the module that declares the event: it begins to measure, or stops. The function must not raise.
        """
        self._switches = (*self._switches, function)
        if self.handlers:
            function()

    def _set(self, handlers: tuple[Handler, ...]) -> None:
        before, self.handlers = self.handlers, handlers
        if bool(before) is not bool(handlers):
            for switch in self._switches:
                switch()

    def emit(self, **fields: object) -> None:
        """Call every handler, in the order of attachment. Raises nothing."""
        for handler in self.handlers:
            try:
                handler(self, fields)
            except BaseException as error:  # noqa: BLE001 - SystemExit too: the emitter did not ask to exit
                self._set(tuple(known for known in self.handlers if known is not handler))
                _report_detached(self.name, handler, error)


def _report_detached(name: str, handler: Handler, error: BaseException) -> None:
    """Log that a handler was detached. An error of its `__repr__`, or of a filter of the logger, is suppressed."""
    try:
        shown = repr(handler)
    except BaseException:  # noqa: BLE001 - see above
        shown = object.__repr__(handler)
    with suppress(BaseException):
        write(_logger, logging.ERROR, f"handler {shown} of {name} raised and was detached", {}, error)


def _module_of(handler: Handler) -> object:
    """Return the name of the module that defines a handler, or None."""
    try:
        return handler.__module__
    except BaseException:  # noqa: BLE001 - a handler is any callable: reading its attribute may raise
        return None
