"""Telemetry events of the listener and of streams, and their log lines."""

from __future__ import annotations

import logging
from typing import Final

from phxactor.telemetry import Event, log

listening: Final = Event("phxactor.endpoint.listening", "The endpoint accepts connections: url.")
accept_failed: Final = Event(
    "phxactor.endpoint.accept_failed", "accept() failed, for example for lack of file descriptors: why."
)
stream_failed: Final = Event(
    "phxactor.transport.stream_failed",
    "A stream given to `serve_stream` raised an exception that trio's streams do not raise, and is closed: exception.",
)

log(listening, logging.INFO, lambda fields: f"listening on {fields['url']}")
log(accept_failed, logging.ERROR, lambda fields: f"cannot accept a connection: {fields['why']}")
log(stream_failed, logging.ERROR, lambda _: "a stream raised an unexpected exception; its connection is closed")
