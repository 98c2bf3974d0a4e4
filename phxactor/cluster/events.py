"""Telemetry events of nodes, and their log lines."""

from __future__ import annotations

import logging
from typing import Final

from phxactor.telemetry import Event, log

node_up: Final = Event("phxactor.cluster.node_up", "Another node is up: node, carrier.")
node_down: Final = Event(
    "phxactor.cluster.node_down",
    "No carrier reaches a node any more, which has not said goodbye: node, carrier (the last one), reason (silent or "
    "lost).",
)
node_left: Final = Event("phxactor.cluster.node_left", "Another node has said goodbye: node, carrier.")
gap: Final = Event(
    "phxactor.cluster.gap",
    "Messages of other nodes were lost on their way to this one: node (None for all of the carrier), carrier, seconds "
    "(since something was last heard).",
)
away: Final = Event(
    "phxactor.cluster.carrier_away", "A carrier cannot carry, or still cannot for another reason: carrier, why."
)
back: Final = Event("phxactor.cluster.carrier_back", "A carrier can carry: carrier, seconds (it was away).")
dropped: Final = Event(
    "phxactor.cluster.dropped",
    "Messages to other nodes could not go: carrier, why, messages, bytes. The log has one line a minute.",
)
dropping: Final = Event(
    "phxactor.cluster.dropping", "Once a minute, if messages could not go: carrier, messages (of each why)."
)
refused: Final = Event(
    "phxactor.cluster.refused",
    "A message that has come was dropped: carrier, fault (such as forged, version, length or kind). The log has one "
    "line a minute.",
)
refusing: Final = Event(
    "phxactor.cluster.refusing",
    "Once a minute, if messages that have come were dropped: carrier, messages (of each fault).",
)
traffic: Final = Event(
    "phxactor.cluster.traffic",
    "Every 10 seconds, for each carrier: carrier, nodes (that it reaches), sent and sent_bytes (handed to it since the "
    "last time), received and received_bytes, dropped and dropped_bytes. It is not logged.",
)
handler_failed: Final = Event(
    "phxactor.cluster.handler_failed", "What handles a message of another node raised: carrier, kind, exception."
)
watch_late: Final = Event(
    "phxactor.cluster.watch_late",
    "No carrier confirmed within a second that this node hears of a topic; the join went on: lane.",
)


def _each(messages: object) -> str:
    assert isinstance(messages, dict)  # noqa: S101 - so the emitter says
    return ", ".join(f"{why} {count}" for why, count in messages.items())


log(node_up, logging.INFO, lambda fields: f"{fields['node']} is up, by {fields['carrier']}")
log(node_down, logging.WARNING, lambda fields: f"{fields['node']} is down: {fields['reason']}")
log(node_left, logging.INFO, lambda fields: f"{fields['node']} has left")
log(
    gap,
    logging.WARNING,
    lambda fields: (
        f"messages of {'other nodes' if fields['node'] is None else fields['node']} by {fields['carrier']} were "
        f"lost, within the last {fields['seconds']:.1f} s"
    ),
)
log(away, logging.WARNING, lambda fields: f"{fields['carrier']} is away: {fields['why']}")
log(back, logging.INFO, lambda fields: f"{fields['carrier']} is there after {fields['seconds']:.1f} s")
log(
    dropping,
    logging.WARNING,
    lambda fields: f"messages to other nodes could not go by {fields['carrier']}: {_each(fields['messages'])}",
)
log(
    refusing,
    logging.WARNING,
    lambda fields: f"messages that came by {fields['carrier']} were dropped: {_each(fields['messages'])}",
)
log(handler_failed, logging.ERROR, lambda fields: f"a message of kind {fields['kind']} by {fields['carrier']} failed")
log(
    watch_late,
    logging.WARNING,
    lambda _: "no carrier confirmed within a second that broadcasts of a topic come here; a join went on without",
)
