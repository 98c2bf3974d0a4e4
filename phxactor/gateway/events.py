"""Telemetry events of ASGI and WSGI applications, and their log lines."""

from __future__ import annotations

import logging
from typing import Final

from phxactor.telemetry import Event, log

failed: Final = Event(
    "phxactor.gateway.failed",
    "An application raised in a request or a WebSocket; the client was answered 500 or closed with 1011, if it could "
    "still be answered: method, path, exception.",
)
unanswered: Final = Event(
    "phxactor.gateway.unanswered", "An application returned without a complete answer: method, path, begun (bool)."
)
late: Final = Event(
    "phxactor.gateway.late",
    "An application did not begin an answer in time, or did not end in time after its client had left; its process was "
    "cancelled: method, path, seconds (limit), left (bool).",
)
client_left: Final = Event(
    "phxactor.gateway.client_left", "An application ended by an exception because its client had left: method, path."
)
busy: Final = Event(
    "phxactor.gateway.busy", "A request was answered 503, since too many run: path (of the application), limit."
)
start_failed: Final = Event(
    "phxactor.gateway.start_failed",
    "The lifespan of an application failed before it had started: path (of the application), why, exception or None.",
)
stop_failed: Final = Event(
    "phxactor.gateway.stop_failed", "The lifespan of an application did not end well: path (of the application), why."
)

log(failed, logging.ERROR, lambda fields: f"{fields['method']} {fields['path']} failed")
log(
    unanswered,
    logging.ERROR,
    lambda fields: (
        f"{fields['method']} {fields['path']}: the application returned "
        f"{'in the middle of its answer' if fields['begun'] else 'without an answer'}"
    ),
)
log(
    late,
    logging.ERROR,
    lambda fields: (
        f"{fields['method']} {fields['path']} "
        f"{'did not end' if fields['left'] else 'was not answered'} within {fields['seconds']:g} s"
        f"{' after its client had left' if fields['left'] else ''}"
    ),
)
log(client_left, logging.DEBUG, lambda fields: f"the client of {fields['method']} {fields['path']} has left")
log(
    busy,
    logging.WARNING,
    lambda fields: f"the application at {fields['path']} has {fields['limit']} requests; another was answered 503",
)
log(start_failed, logging.ERROR, lambda fields: f"the application at {fields['path']} did not start: {fields['why']}")
log(stop_failed, logging.ERROR, lambda fields: f"the application at {fields['path']} did not stop: {fields['why']}")
