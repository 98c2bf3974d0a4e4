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
from phxactor.telemetry import Event, JSONFormatter, NonBlockingHandler

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
LogFormat: TypeAlias = Literal["text", "json"]


def log_to_stderr(level: LogLevel, worker: ThisWorker | None = None, form: LogFormat = "text") -> None:
    """Log to standard error with time and level, and with the number of the worker if this process is one.

    Each record is a line of text (and its traceback, if it has one), or one line of JSON. Until the endpoint listens,
    start errors are not logged: the program's last line says why it could not start.
    """
    number = None if worker is None else worker.configure.number
    formatter: logging.Formatter
    if form == "json":
        formatter = JSONFormatter({} if number is None else {"worker": number})
    else:
        which = "" if number is None else f"[worker {number}] "
        formatter = logging.Formatter(f"%(asctime)s %(levelname)-7s {which}%(message)s", "%H:%M:%S")
    handler = NonBlockingHandler(logging.StreamHandler(sys.stderr))
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler])
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
