"""Events with measurements, and the log made from them. See README.md in this folder."""

from phxactor.telemetry._brief import brief
from phxactor.telemetry._event import EVENTS, Event, Handler
from phxactor.telemetry._json_lines import JSONFormatter
from phxactor.telemetry._log import log
from phxactor.telemetry._log_line import as_exception, write
from phxactor.telemetry._log_writer import NAME, end_log, flush_log, log_as_text
from phxactor.telemetry._non_blocking import NonBlockingHandler

__all__ = [
    "EVENTS",
    "NAME",
    "Event",
    "Handler",
    "JSONFormatter",
    "NonBlockingHandler",
    "as_exception",
    "brief",
    "end_log",
    "flush_log",
    "log",
    "log_as_text",
    "write",
]
