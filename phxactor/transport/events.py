"""Telemetry events of transports and their log lines. A client's mistake is one line, never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from phxactor.runtime import describe_reason
from phxactor.telemetry import Event, log, write

connected: Final = Event(
    "phxactor.socket.connected",
    "A client has connected: socket (the class's name), transport, peer, seconds, level (None: not logged), by (the "
    "process of its request: that of the connection; for a long poll, that of the request which opened the session).",
)
refused: Final = Event("phxactor.socket.refused", "A client was refused: socket, transport, peer, why.")
connect_failed: Final = Event(
    "phxactor.socket.connect_failed", "`connect` or `identify` raised: socket, transport, peer, exception."
)
session_failed: Final = Event(
    "phxactor.socket.session_failed",
    "The function that reads the session of a client raised, and the client has no session: socket, transport, peer, "
    "error (the exception).",
)
late: Final = Event(
    "phxactor.socket.late",
    "`connect`, or the `init` of a raw socket, took too long, and the client was refused: socket, peer, "
    "callback (which of the two), seconds (limit).",
)
disconnected: Final = Event(
    "phxactor.socket.disconnected",
    "A connection has ended: socket, transport, peer, reason, traffic (bytes that came, and that the client has "
    "acknowledged; None where nobody counts), level.",
)
bad_input: Final = Event(
    "phxactor.transport.bad_input",
    "A client sent invalid input, and is disconnected: peer, why, code (close code, or HTTP status).",
)
slow_consumer: Final = Event(
    "phxactor.transport.slow_consumer",
    "A client reads too slowly: it is disconnected, or misses broadcasts from now on: peer, waiting (bytes), policy.",
)
caught_up: Final = Event(
    "phxactor.transport.caught_up", "A client that missed broadcasts gets them again: peer, missed (number)."
)
answered: Final = Event(
    "phxactor.transport.answered",
    "A request on a transport's path was answered: method, path, transport, peer, status, seconds, level.",
)


_logger = logging.getLogger("phxactor.socket")


def _log_connection(event: Event, fields: Mapping[str, object]) -> None:
    level = fields["level"]
    if isinstance(level, int) and _logger.isEnabledFor(level):
        if event is connected:
            line = f"CONNECTED {fields['peer']} to {fields['socket']} by {fields['transport']}"
        else:
            line = f"DISCONNECTED {fields['peer']} from {fields['socket']}: {describe_reason(fields['reason'])}"
        write(_logger, level, line, fields)


connected.attach(_log_connection)
disconnected.attach(_log_connection)
log(
    refused,
    logging.INFO,
    lambda fields: f"REFUSED {fields['peer']} to {fields['socket']} by {fields['transport']}: {fields['why']}",
)
log(connect_failed, logging.ERROR, lambda fields: f"connecting {fields['peer']} to {fields['socket']} failed")


def _describe_session(fields: Mapping[str, object]) -> str:
    """Name the exception and its place, not its text, which may hold the cookie."""
    error = fields["error"]
    trace = error.__traceback__ if isinstance(error, BaseException) else None
    place = ""
    while trace is not None:
        place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"the session of {fields['peer']} for {fields['socket']} was not read: {type(error).__qualname__}{place}"


log(session_failed, logging.WARNING, _describe_session)
log(
    late,
    logging.ERROR,
    lambda fields: (
        f"{fields['callback']} of {fields['socket']} has not returned within {fields['seconds']:g} s: "
        f"refused {fields['peer']}"
    ),
)
log(bad_input, logging.WARNING, lambda fields: f"{fields['peer']} is closed with {fields['code']}: {fields['why']}")


def _describe_slow(fields: Mapping[str, object]) -> str:
    what = "is closed with 1013" if fields["policy"] == "close" else "misses broadcasts"
    return f"{fields['peer']} {what}: it reads too slowly, {fields['waiting']} bytes of output wait"


log(slow_consumer, logging.WARNING, _describe_slow)
log(caught_up, logging.WARNING, lambda fields: f"{fields['peer']} has missed {fields['missed']} broadcasts")


def _log_request(_: Event, fields: Mapping[str, object]) -> None:
    level = fields["level"]
    if isinstance(level, int) and _logger.isEnabledFor(level):
        milliseconds = float(str(fields["seconds"])) * 1000
        line = f"{fields['method']} {fields['path']} {fields['status']} in {milliseconds:.1f} ms for {fields['peer']}"
        write(_logger, level, line, fields)


answered.attach(_log_request)
