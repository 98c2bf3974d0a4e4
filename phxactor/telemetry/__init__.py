"""Events with measurements, and the log made from them. See README.md in this folder."""

from phxactor.telemetry.event import EVENTS, Event, Handler
from phxactor.telemetry.log import log
from phxactor.telemetry.log_line import as_exception, write
from phxactor.telemetry.log_writer import flush_log
from phxactor.telemetry.non_blocking import NonBlockingHandler

__all__ = ["EVENTS", "Event", "Handler", "NonBlockingHandler", "as_exception", "flush_log", "log", "write"]
