"""The engine that plays schedules and looks for those that fail. Its README says how its parts hang together."""

from typing import Final

from phxactor.testing.exploration._actors import process_of
from phxactor.testing.exploration._clock import Clock
from phxactor.testing.exploration._guides import FirstCome, Guide, Guided, multiple, portfolio
from phxactor.testing.exploration._plainest import Played, failure_of, orders, plainest, weight
from phxactor.testing.exploration._steps import DeadlockError, Option, Steps

__all__ = [
    "TIMEOUTS",
    "Clock",
    "DeadlockError",
    "FirstCome",
    "Guide",
    "Guided",
    "Option",
    "Played",
    "Steps",
    "failure_of",
    "multiple",
    "orders",
    "plainest",
    "portfolio",
    "process_of",
    "weight",
]

TIMEOUTS: Final = 2.0
"""Seconds up to which a deadline may pass while others could run, if a schedule does not say otherwise (EX42)."""
