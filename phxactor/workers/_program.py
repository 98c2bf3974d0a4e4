"""How a worker is started: by the command that started this program, with a descriptor more.

No fork without exec, and no pickling: a worker is a program of its own, with new code if that has changed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Final, Self

import attrs

from phxactor.cluster.carriers.workers import VARIABLE

NOT_THEIRS: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""Variables by which systemd talks with the parent only."""


@attrs.frozen
class Program:
    """The command of a program, and the environment that it was started with."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = attrs.field(repr=False)
    name: str
    """What it serves, for people: the target of `phxactor serve`, or the name of the script."""

    @classmethod
    def of_this(cls, environment: Mapping[str, str], name: str) -> Self:
        """Return the command of the running program. Raises SystemExit if it cannot be repeated."""
        arguments = sys.orig_argv[1:]
        if not arguments or arguments[0] == "-" or not sys.executable:
            raise SystemExit("workers are started by the command of this program: put the program into a file")
        kept = {key: value for key, value in environment.items() if key not in NOT_THEIRS}
        return cls((sys.executable, *arguments), kept, name)

    def start(self, control: int) -> subprocess.Popen[bytes]:
        """Start a worker, with its end of the control line.

        It inherits the descriptors that this program has inherited itself, such as listening sockets of systemd, and
        no others. SIGINT is blocked until the worker runs: a terminal sends it to all processes, but the parent acts.

        Raises OSError if the system has no process or memory for it.
        """
        environment = {**self.environment, VARIABLE: f"{control}:{os.getpid()}"}
        os.set_inheritable(control, True)  # noqa: FBT003
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return subprocess.Popen(self.command, env=environment, close_fds=False)  # noqa: S603 - its own command
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.set_inheritable(control, False)  # noqa: FBT003
