"""Events of the listener and of streams."""

from __future__ import annotations

import logging
from typing import Final

from phxactor.telemetry import Event
from phxactor.telemetry.log import log

listening: Final = Event("phxactor.endpoint.listening", "The endpoint accepts connections: url.")
accept_failed: Final = Event(
    "phxactor.endpoint.accept_failed", "A connection could not be accepted, for lack of file descriptors, say: why."
)
stream_failed: Final = Event(
    "phxactor.transport.stream_failed",
    "A stream that was given to `serve_stream` raised what no stream may, and is given up: exception.",
)

log(listening, logging.INFO, lambda fields: f"listening on {fields['url']}")
log(accept_failed, logging.ERROR, lambda fields: f"cannot accept a connection: {fields['why']}")
log(stream_failed, logging.ERROR, lambda _: "a stream raised what no stream may, and is given up")
