"""The log of the commands that serve."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import Literal, TypeAlias

from phxactor.cluster.carriers.workers import ThisWorker
from phxactor.net.events import listening
from phxactor.otp.supervisor_events import start_error
from phxactor.telemetry import Event, NonBlockingHandler

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]


def log_to_stderr(level: LogLevel, worker: ThisWorker | None = None) -> None:
    """Log to standard error with time and level, and with the number of the worker if this process is one.

    Until the endpoint listens, start errors are not logged: the program's last line says why it could not start.
    """
    which = "" if worker is None else f"[worker {worker.configure.number}] "
    logging.basicConfig(
        level=level.upper(),
        format=f"%(asctime)s %(levelname)-7s {which}%(message)s",
        datefmt="%H:%M:%S",
        handlers=[NonBlockingHandler(logging.StreamHandler(sys.stderr))],
    )
    reports = logging.getLogger(start_error.name)
    reports.disabled = True

    def enable(_: Event, __: Mapping[str, object]) -> None:
        reports.disabled = False

    listening.attach(enable)


def say_stopped() -> None:
    """Say that the program has stopped in order. A full disk, or a pipe that nobody reads, makes that no failure."""
    try:
        print("stopped", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes the rest at its end
