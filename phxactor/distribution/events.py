"""Telemetry events of signals between nodes, and their log lines."""

from __future__ import annotations

import logging
from typing import Final

from phxactor.telemetry import Event, log

cut: Final = Event(
    "phxactor.distribution.cut",
    "The line of signals to a node that is up was cut; links, monitors and calls over it have ended with NOCONNECTION: "
    "node, why (gap, full, other side or unanswered).",
)
refused: Final = Event(
    "phxactor.distribution.refused",
    "A signal of another node could not be read and was dropped; if it was a call, its caller is told: node, why.",
)

log(cut, logging.WARNING, lambda fields: f"the line of signals to {fields['node']} was cut: {fields['why']}")
log(refused, logging.WARNING, lambda fields: f"a signal of {fields['node']} was dropped: {fields['why']}")
