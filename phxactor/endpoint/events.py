"""What an endpoint tells."""

from __future__ import annotations

import logging
from typing import Final

from phxactor.telemetry import Event
from phxactor.telemetry.log import log

draining: Final = Event("phxactor.endpoint.draining", "The endpoint stops, and lets its clients go: transports.")
drain_waits: Final = Event(
    "phxactor.endpoint.drain_waits",
    "Clients still wait after a second of draining, mostly for busy channels: transports, seconds (at most).",
)
undrained: Final = Event(
    "phxactor.endpoint.undrained", "Clients are closed whose channels are still busy: transports, seconds (waited)."
)
bad_request: Final = Event("phxactor.http.bad_request", "A client made a mistake in HTTP: peer, status, why.")
handler_failed: Final = Event(
    "phxactor.http.handler_failed", "A plain HTTP handler raised, and 500 was answered: method, path, exception."
)
handler_late: Final = Event(
    "phxactor.http.handler_late",
    "A plain HTTP handler has not returned in time, and 503 was answered: method, path, seconds (that it had).",
)
handshake_failed: Final = Event("phxactor.endpoint.handshake_failed", "A client did not come to speak TLS: peer, why.")
connection_refused: Final = Event(
    "phxactor.endpoint.connection_refused", "There were too many connections for one more: peer, status, why."
)

log(draining, logging.INFO, lambda fields: f"stopping; connections that are told: {fields['transports']}")
log(
    drain_waits,
    logging.INFO,
    lambda fields: (
        f"connections that wait for busy channels: {fields['transports']}, for at most {fields['seconds']:g} s; "
        "a second Ctrl-C kills them"
    ),
)
log(
    undrained,
    logging.WARNING,
    lambda fields: (
        f"connections that are closed, with channels still busy after {fields['seconds']:g} s: {fields['transports']}"
    ),
)
log(bad_request, logging.WARNING, lambda fields: f"{fields['peer']} was answered {fields['status']}: {fields['why']}")
log(handler_failed, logging.ERROR, lambda fields: f"{fields['method']} {fields['path']} failed")
log(
    handler_late,
    logging.ERROR,
    lambda fields: f"{fields['method']} {fields['path']} was not answered within {fields['seconds']:g} s",
)
log(handshake_failed, logging.INFO, lambda fields: f"no TLS with {fields['peer']}: {fields['why']}")
log(connection_refused, logging.WARNING, lambda fields: f"refused {fields['peer']}: {fields['why']}")
