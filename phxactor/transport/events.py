"""What transports tell: who came, who went, and what clients did wrong: one line each, never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from phxactor.runtime import format_reason
from phxactor.telemetry import Event, write
from phxactor.telemetry.log import log

connected: Final = Event(
    "phxactor.socket.connected",
    "A client has connected: socket (the class's name), transport, peer, seconds, level (None: not to be logged).",
)
refused: Final = Event("phxactor.socket.refused", "A client was not let in: socket, transport, peer, why.")
connect_failed: Final = Event(
    "phxactor.socket.connect_failed", "`connect` or `identify` raised: socket, transport, peer, exception."
)
late: Final = Event(
    "phxactor.socket.late",
    "`connect`, or the `init` of a raw socket, has not returned in time, and the client was refused: socket, peer, "
    "callback (which of the two), seconds (that it had).",
)
disconnected: Final = Event(
    "phxactor.socket.disconnected", "A connection has ended: socket, transport, peer, reason, level."
)
bad_input: Final = Event(
    "phxactor.transport.bad_input",
    "A client sent what cannot be read, and is disconnected: peer, why, code (to close with, or HTTP's status).",
)
slow_consumer: Final = Event(
    "phxactor.transport.slow_consumer",
    "A client reads too slowly, and is disconnected, or begins to miss broadcasts: peer, waiting (bytes), policy.",
)
caught_up: Final = Event(
    "phxactor.transport.caught_up", "A client that missed broadcasts hears them again: peer, missed (how many)."
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
            line = f"DISCONNECTED {fields['peer']} from {fields['socket']}: {format_reason(fields['reason'])}"
        write(_logger, level, line, fields)


connected.attach(_log_connection)
disconnected.attach(_log_connection)
log(
    refused,
    logging.INFO,
    lambda fields: f"REFUSED {fields['peer']} to {fields['socket']} by {fields['transport']}: {fields['why']}",
)
log(connect_failed, logging.ERROR, lambda fields: f"connecting {fields['peer']} to {fields['socket']} failed")
log(
    late,
    logging.ERROR,
    lambda fields: (
        f"{fields['callback']} of {fields['socket']} has not returned within {fields['seconds']:g} s: "
        f"{fields['peer']} is refused"
    ),
)
log(bad_input, logging.WARNING, lambda fields: f"{fields['peer']} is closed with {fields['code']}: {fields['why']}")


def _describe_slow(fields: Mapping[str, object]) -> str:
    what = "is closed with 1013" if fields["policy"] == "close" else "misses broadcasts"
    return f"{fields['peer']} {what}: it reads too slowly, {fields['waiting']} bytes wait"


log(slow_consumer, logging.WARNING, _describe_slow)
log(caught_up, logging.WARNING, lambda fields: f"{fields['peer']} has missed {fields['missed']} broadcasts")


def _log_request(_: Event, fields: Mapping[str, object]) -> None:
    level = fields["level"]
    if isinstance(level, int) and _logger.isEnabledFor(level):
        milliseconds = float(str(fields["seconds"])) * 1000
        line = f"{fields['method']} {fields['path']} {fields['status']} in {milliseconds:.1f} ms for {fields['peer']}"
        write(_logger, level, line, fields)


answered.attach(_log_request)
