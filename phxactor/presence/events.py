"""The telemetry events of presence."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from phxactor.telemetry import Event, log

callback_failed: Final = Event(
    "phxactor.presence.callback_failed",
    "A callback of a Presence or Tracker raised, took too long, or returned what it must not; nothing else changes: "
    "presence (its name), callback, topic (None for init), why, exception (None unless it raised).",
)

refused: Final = Event(
    "phxactor.presence.refused",
    "A process was not tracked or updated: presence (its name), topic, key, reason (already_tracked, nopresence, "
    "noproc, too_large or too_many_updates).",
)

large_meta: Final = Event(
    "phxactor.presence.large_meta",
    "The first meta of a Presence that is larger than it allows: presence (its name), topic, key, bytes, limit.",
)

not_sent: Final = Event(
    "phxactor.presence.not_sent",
    "A message to the trackers of other nodes is too large for the cluster: presence (its name), why.",
)


def _failed(fields: Mapping[str, object]) -> str:
    topic = f" for {fields['topic']!r:.100}" if fields["topic"] is not None else ""
    return f"{fields['presence']}.{fields['callback']}{topic} {fields['why']}"


log(callback_failed, logging.ERROR, _failed)
log(
    not_sent,
    logging.ERROR,
    lambda fields: f"{fields['presence']} cannot tell the other nodes: {fields['why']}; allow smaller metas only",
)
log(
    large_meta,
    logging.WARNING,
    lambda fields: (
        f"{fields['presence']}: the meta of {fields['key']!r:.100} in {fields['topic']!r:.100} has {fields['bytes']} "
        f"bytes, and is refused; the limit (max_meta_bytes) is {fields['limit']}. What does not change belongs in fetch"
    ),
)
