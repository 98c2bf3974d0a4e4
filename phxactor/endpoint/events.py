"""Telemetry events of an endpoint and of HTTP, and their log lines."""

from __future__ import annotations

import logging
from typing import Final

from phxactor.telemetry import Event, log

draining: Final = Event("phxactor.endpoint.draining", "The endpoint stops and drains: transports (told to finish).")
drain_waits: Final = Event(
    "phxactor.endpoint.drain_waits",
    "A second after draining began, transports still run, mostly for busy channels: transports, seconds (limit).",
)
undrained: Final = Event(
    "phxactor.endpoint.undrained", "The drain limit is over, and transports still run: transports, seconds (limit)."
)
closing_after_gap: Final = Event(
    "phxactor.endpoint.closing_after_gap",
    "Broadcasts of other nodes were lost, and `close_after_gap` closes all sockets: endpoint, transports (number).",
)
request_started: Final = Event(
    "phxactor.http.request.start",
    "The head of a request has come, and the answer begins: peer, method, target (the query without values), "
    "route (the path of the route that answers it, `-` if there is none), request. `phxactor.http.request` tells "
    "of its end.",
)
request: Final = Event(
    "phxactor.http.request",
    "A request was answered, or could not be: peer, method, target (the query without values), route (as above), "
    "status (499 if the connection ended before), bytes (of the body), seconds. It is logged only after "
    "`log_requests()`.",
)
bad_request: Final = Event("phxactor.http.bad_request", "A client made a mistake in HTTP: peer, status, why.")
handler_failed: Final = Event(
    "phxactor.http.handler_failed", "An HTTP handler raised; the client was answered 500: method, path, exception."
)
handler_late: Final = Event(
    "phxactor.http.handler_late",
    "An HTTP handler took too long; the client was answered 503: method, path, seconds (limit).",
)
handshake_failed: Final = Event(
    "phxactor.endpoint.handshake_failed", "The TLS handshake with a client failed: peer, why."
)
host_refused: Final = Event(
    "phxactor.http.host_refused", "A request for a host that is not in `hosts` was answered 421: peer, host, path."
)
proxy_header_failed: Final = Event(
    "phxactor.endpoint.proxy_header_failed",
    "A connection did not begin with the PROXY header that the endpoint takes, and was closed: peer, why.",
)
connection_refused: Final = Event(
    "phxactor.endpoint.connection_refused", "A connection was over a limit, and was refused: peer, status, why."
)
relay_lost: Final = Event(
    "phxactor.endpoint.relay_lost",
    "Requests of long polls that waited for another node were answered without it: node, why (down, gap), requests.",
)
relay_refused: Final = Event(
    "phxactor.endpoint.relay_refused", "Another node said what no relay of long polls says: node, why."
)

parent_ended: Final = Event(
    "phxactor.workers.parent_ended", "In a worker: its parent has ended without stopping it, so the worker stops."
)
control_failed: Final = Event(
    "phxactor.workers.control_failed", "In a worker: a message of its parent could not be read: why."
)

log(draining, logging.INFO, lambda fields: f"stopping; connections to drain: {fields['transports']}")
log(
    closing_after_gap,
    logging.WARNING,
    lambda fields: (
        f"broadcasts of other nodes were lost: closing all sockets of {fields['endpoint']}: {fields['transports']}"
    ),
)
log(
    drain_waits,
    logging.INFO,
    lambda fields: (
        f"draining; connections with busy channels: {fields['transports']}; waiting at most {fields['seconds']:g} s; "
        "a second Ctrl-C kills them"
    ),
)
log(
    undrained,
    logging.WARNING,
    lambda fields: (
        f"drained for {fields['seconds']:g} s; connections closed with busy channels: {fields['transports']}"
    ),
)
log(bad_request, logging.WARNING, lambda fields: f"{fields['peer']} was answered {fields['status']}: {fields['why']}")
log(handler_failed, logging.ERROR, lambda fields: f"{fields['method']} {fields['path']} failed")
log(
    handler_late,
    logging.ERROR,
    lambda fields: f"{fields['method']} {fields['path']} was not answered within {fields['seconds']:g} s",
)
log(handshake_failed, logging.INFO, lambda fields: f"TLS handshake with {fields['peer']} failed: {fields['why']}")
log(
    host_refused,
    logging.WARNING,
    lambda fields: (
        f"refused a request of {fields['peer']} for the host {fields['host']!r:.200}, which is not in the hosts of the "
        "endpoint"
    ),
)
log(proxy_header_failed, logging.WARNING, lambda fields: f"closed {fields['peer']}: {fields['why']}")
log(connection_refused, logging.WARNING, lambda fields: f"refused {fields['peer']}: {fields['why']}")
log(
    relay_lost,
    logging.INFO,
    lambda fields: (
        f"long polls that waited for {fields['node']} were answered without it ({fields['why']}): {fields['requests']}"
    ),
)
log(relay_refused, logging.WARNING, lambda fields: f"{fields['node']} said what no relay says: {fields['why']}")
log(parent_ended, logging.ERROR, lambda _: "the parent of this worker has ended; the worker stops")
log(control_failed, logging.ERROR, lambda fields: f"a message of the parent of this worker is lost: {fields['why']}")
