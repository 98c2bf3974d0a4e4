"""The engine that plays schedules and looks for those that fail. Its README says how its parts hang together."""

from typing import Final

from phxactor.testing.exploration._actors import process_of
from phxactor.testing.exploration._bounded import CAUSES, Bounded, ChangedError, Played, parted
from phxactor.testing.exploration._clock import Clock
from phxactor.testing.exploration._faults import Fault, Faults, OnTime
from phxactor.testing.exploration._forked import forked
from phxactor.testing.exploration._guides import FirstCome, Guide, Guided, multiple, portfolio
from phxactor.testing.exploration._hooks import Hooks
from phxactor.testing.exploration._options import DeadlockError, Option, OutsideError
from phxactor.testing.exploration._plainest import failure_of, plainest, weight
from phxactor.testing.exploration._playing import Playground, unlogged
from phxactor.testing.exploration._reduction import Reduction
from phxactor.testing.exploration._sharing import Sharing
from phxactor.testing.exploration._steps import Steps
from phxactor.testing.exploration._waits import ADVICE, told

__all__ = [
    "ADVICE",
    "CAUSES",
    "TIMEOUTS",
    "Bounded",
    "ChangedError",
    "Clock",
    "DeadlockError",
    "Fault",
    "Faults",
    "FirstCome",
    "Guide",
    "Guided",
    "Hooks",
    "OnTime",
    "Option",
    "OutsideError",
    "Played",
    "Playground",
    "Reduction",
    "Sharing",
    "Steps",
    "failure_of",
    "forked",
    "multiple",
    "parted",
    "plainest",
    "portfolio",
    "process_of",
    "told",
    "unlogged",
    "weight",
]

TIMEOUTS: Final = 2.0
"""Seconds up to which a deadline may pass while others could run, if a schedule does not say otherwise (EX42)."""
