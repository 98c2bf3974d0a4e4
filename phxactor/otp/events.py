"""What behaviours tell: the reports of OTP-SEMANTICS section 11."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from phxactor.runtime import Reason, format_reason
from phxactor.telemetry import Event, log

terminated: Final = Event(
    "phxactor.server.terminated",
    "A server ended abnormally by its own callbacks (L2): pid, server, reason, message (the last one), exception.",
)
unexpected: Final = Event(
    "phxactor.server.unexpected", "A message came that no callback takes (G37): pid, server, message."
)


def _reason(fields: Mapping[str, object]) -> str:
    reason: Reason = fields["reason"]
    return format_reason(reason)


log(
    terminated,
    logging.ERROR,
    lambda fields: f"{fields['pid']!r} terminating: {_reason(fields)}; last message: {fields['message']!r:.500}",
)
log(
    unexpected,
    logging.ERROR,
    lambda fields: f"{fields['pid']!r} got a message that it does not handle: {fields['message']!r:.500}",
)
