"""The telemetry events of sockets: joins and their failures, rate limits, broadcasts that cannot be encoded."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from phxactor.runtime import Crash, describe_reason
from phxactor.telemetry import Event, as_exception, log, write

joined: Final = Event(
    "phxactor.channel.joined",
    "A join was answered: topic, status, socket (its class's name), transport, seconds, level (None: is not logged).",
)
join_failed: Final = Event(
    "phxactor.channel.join_failed",
    "A channel's process ended before its join was answered: topic, channel, reason, exception (None in most cases).",
)
unencodable: Final = Event(
    "phxactor.broadcast.unencodable",
    "A broadcast that a serializer cannot encode was dropped for its clients: topic, event, why.",
)
rate_limited: Final = Event(
    "phxactor.socket.rate_limited",
    "A client began to exceed a rate limit: pid (its transport), socket, what (messages or joins).",
)
collected: Final = Event(
    "phxactor.transport.collected", "A transport was told to collect garbage: pid, objects (found unreachable)."
)

_logger = logging.getLogger(joined.name)


def _log_join(_: Event, fields: Mapping[str, object]) -> None:
    level = fields["level"]
    if isinstance(level, int) and _logger.isEnabledFor(level):
        answer = "JOINED" if fields["status"] == "ok" else "REFUSED JOIN"
        milliseconds = float(str(fields["seconds"])) * 1000
        line = f"{answer} {fields['topic']!r} on {fields['socket']} in {milliseconds:.1f} ms"
        write(_logger, level, line, fields, follows=True)


joined.attach(_log_join)


def _log_join_failed(_: Event, fields: Mapping[str, object]) -> None:
    reason, exception = fields["reason"], fields["exception"]
    if type(reason) is Crash and exception is None:
        return  # the process has logged its crash itself, with the traceback
    line = f"joining {fields['topic']!r} failed: {fields['channel']} ended: {describe_reason(reason)}"
    write(logging.getLogger(join_failed.name), logging.ERROR, line, fields, as_exception(exception))


join_failed.attach(_log_join_failed)
log(
    unencodable,
    logging.WARNING,
    lambda fields: (
        f"a broadcast of {fields['event']!r} to {fields['topic']!r} was dropped for some clients: {fields['why']}"
    ),
)
log(
    rate_limited,
    logging.WARNING,
    lambda fields: f"the client of {fields['pid']} sends too many {fields['what']} to {fields['socket']}",
)
