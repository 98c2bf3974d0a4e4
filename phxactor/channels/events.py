"""The telemetry events of channels."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from phxactor.runtime import Crash, describe_reason
from phxactor.telemetry import Event, log

crashed: Final = Event(
    "phxactor.channel.crashed",
    "A channel ended abnormally: pid, channel (its class), topic, event (None outside of one), reason, exception.",
)

unknown_event: Final = Event(
    "phxactor.channel.unknown_event",
    "A client sent an event that its channel has no handler for, which ended the channel: pid, channel (its class), "
    "topic, client_event.",
)
message_started: Final = Event(
    "phxactor.channel.message.start",
    "A channel begins to handle a message: pid, channel (its class), topic, route (the pattern), kind (in: of its"
    " client; out: an intercepted broadcast; call, cast or info), event (None for the last three), declared "
    "(whether the class has a handler for it).",
)
message_stopped: Final = Event(
    "phxactor.channel.message.stop",
    "A channel has handled a message, or has failed: the same, and seconds, outcome (ok or failed).",
)
join_started: Final = Event(
    "phxactor.channel.join.start",
    "A channel's `join` begins: pid, channel (its class), topic, route (the pattern), payload (the "
    "client's), process (the ChannelProcess).",
)
join_stopped: Final = Event(
    "phxactor.channel.join.stop",
    "A channel's `join` has ended: pid, channel, topic, route, seconds, outcome (ok, refused or failed).",
)


def _line(fields: Mapping[str, object]) -> str:
    reason = fields["reason"]
    why = "" if type(reason) is Crash else f": {describe_reason(reason)}"
    event = f" in {fields['event']!r:.100}" if fields["event"] is not None else ""
    return f"{fields['channel']} of {fields['topic']!r} crashed{event}{why}"


log(crashed, logging.ERROR, _line)
log(
    unknown_event,
    logging.WARNING,
    lambda fields: (
        f"{fields['channel']} of {fields['topic']!r:.100} has no handler for the event {fields['client_event']!r:.100}"
    ),
)
