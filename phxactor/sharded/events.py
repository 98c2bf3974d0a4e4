"""Telemetry events of sharded servers, and their log lines."""

from __future__ import annotations

import logging
from typing import Final

from phxactor.telemetry import Event, log

view: Final = Event(
    "phxactor.sharded.view", "The nodes share the keys anew: name, number (of the view), nodes (how many own keys)."
)
suspended: Final = Event(
    "phxactor.sharded.suspended",
    "This node runs no key, as it is on the small side of a split: name, nodes (how many it sees, itself included).",
)
lost: Final = Event(
    "phxactor.sharded.state_lost",
    "A key moves without its state: name, key, why (late, crashed, or what `hand_over` has returned is no data).",
)
dropped: Final = Event(
    "phxactor.sharded.dropped", "A message to a key was dropped: name, why (such as busy: too much waits already)."
)

log(view, logging.INFO, lambda fields: f"{fields['name']}: {fields['nodes']} nodes share the keys")
log(
    suspended,
    logging.WARNING,
    lambda fields: f"{fields['name']} runs no key here: this node is on the small side of a split ({fields['nodes']})",
)
log(
    lost,
    logging.WARNING,
    lambda fields: f"{fields['name']}[{fields['key']!r}] moves without its state: {fields['why']}",
)
