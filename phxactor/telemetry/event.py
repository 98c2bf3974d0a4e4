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
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from phxactor.telemetry.log_line import write

Handler: TypeAlias = Callable[["Event", Mapping[str, object]], None]
"""Called with the event and its fields, synchronously, in the process that emits."""

_logger = logging.getLogger("phxactor.telemetry")

EVENTS: Final[dict[str, Event]] = {}
"""Every declared event by name."""


class Event:
    """A named happening, e.g. `phxactor.process.crashed`.

    `handlers` is a tuple, so that a handler may attach or detach while the event is emitted. Raises
    ValueError when two events are declared under one name.
    """

    __slots__ = ("doc", "handlers", "name")

    def __init__(self, name: str, doc: str) -> None:
        """Declare the event; `doc` says when it happens and which fields it carries."""
        if name in EVENTS:
            raise ValueError(f"there is already an event named {name!r}")
        self.name = name
        self.doc = doc
        self.handlers: tuple[Handler, ...] = ()
        EVENTS[name] = self

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
        """Tell every handler, in the order in which they were attached."""
        for handler in self.handlers:
            try:
                handler(self, fields)
            except BaseException as error:  # noqa: BLE001 - a sys.exit too: the emitter's process has not called it
                self.detach(handler)
                write(_logger, logging.ERROR, f"handler {handler!r} of {self.name} raised and was detached", {}, error)
