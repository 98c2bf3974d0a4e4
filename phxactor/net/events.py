"""Telemetry events of the listener and of streams, and their log lines."""

from __future__ import annotations

import logging
from typing import Final

from phxactor.telemetry import Event, log

listening: Final = Event("phxactor.endpoint.listening", "The endpoint accepts connections: url.")
accept_failed: Final = Event(
    "phxactor.endpoint.accept_failed", "accept() failed, for example for lack of file descriptors: why."
)
accept_failing: Final = Event(
    "phxactor.endpoint.accept_failing",
    "accept() failed, told at once and then once a minute while it goes on: why, times since it was told.",
)
stream_failed: Final = Event(
    "phxactor.transport.stream_failed",
    "A stream given to `serve_stream` raised an exception that trio's streams do not raise, and is closed: exception.",
)

log(listening, logging.INFO, lambda fields: f"listening on {fields['url']}")
log(
    accept_failing,
    logging.ERROR,
    lambda fields: (
        f"cannot accept a connection: {fields['why']}"
        if fields["times"] == 1
        else f"could not accept connections, {fields['times']} times since this was told: {fields['why']}"
    ),
)
log(stream_failed, logging.ERROR, lambda _: "a stream raised an unexpected exception; its connection is closed")


def tell_accept_failed(why: str, times: int) -> None:
    """Emit `accept_failed`, and `accept_failing` if it is to be told now."""
    if accept_failed.handlers:
        accept_failed.emit(why=why)
    tell_accept_failing(why, times)


def tell_accept_failing(why: str, times: int) -> None:
    """Emit `accept_failing` if it is to be told now."""
    if times and accept_failing.handlers:
        accept_failing.emit(why=why, times=times)
