"""Workers that hang, and processes that nobody collects."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Final

from phxactor.workers._crew import Crew
from phxactor.workers._stack import SIGNAL as STACK_SIGNAL

HUNG: Final = 30.0
"""Seconds without a sign of life after which a worker is killed."""
DYING: Final = 1.0
"""Seconds that a worker has to write its stack before it is killed."""
LATE: Final = 2.0
"""Seconds by which a look at the workers is late if the parent itself was stopped."""
FIRST_PROCESS: Final = 1
"""The process id of the first program in a container."""


def kill_hung(crew: Crew, now: float) -> None:
    """Ask workers from which nothing is heard where they are; kill those that were asked a second ago."""
    for member in crew:
        if member.asked_at is not None:
            if now > member.asked_at + DYING:
                member.worker.signal(signal.SIGKILL)
        elif member.heard is not None and now > member.heard + HUNG:
            member.asked_at = now
            member.worker.signal(STACK_SIGNAL)


def excuse(crew: Crew, now: float) -> None:
    """After the parent itself was stopped: judge no worker by that time."""
    for member in crew:
        member.heard = None if member.heard is None else now


def collect_orphans(crew: Crew) -> None:
    """In a container, collect processes whose own parents have ended: the first process inherits them."""
    if os.getpid() != FIRST_PROCESS:
        return
    workers = {member.worker.process.pid for member in crew}
    with suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if ended.si_pid in workers:  # its keeper is about to
                return
            os.waitpid(ended.si_pid, os.WNOHANG)
