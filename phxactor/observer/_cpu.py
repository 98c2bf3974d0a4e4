"""Which process uses the processor, by samples: only while somebody looks.

The system sends SIGPROF after each `PERIOD` of processor time that the program has used; the handler notes which
process runs. An idle program gets no signal, and a busy one pays well under a thousandth for it. It works in the main
thread only, and only if the program has no use for the signal.
"""

from __future__ import annotations

import signal
import threading
from collections import Counter
from typing import TYPE_CHECKING, Final, final

from phxactor.runtime import Pid, Runtime, current

if TYPE_CHECKING:
    from types import FrameType

PERIOD: Final = 0.01
"""Seconds of processor time between two samples."""


@final
class Sampling:
    """Samples of one runtime."""

    def __init__(self, runtime: Runtime) -> None:
        """Take no samples yet."""
        self.runtime = runtime
        self.samples: Counter[Pid | None] = Counter()
        self.shares: dict[Pid, float] | None = None
        """Parts of a core of the last second, by process; None if no samples can be taken."""
        self.at = runtime.now()
        self._runs = False

    def start(self) -> None:
        """Take samples from now on, if that is possible."""
        if self._runs or threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
            return
        if signal.getsignal(signal.SIGPROF) not in (signal.SIG_DFL, signal.SIG_IGN):
            return
        if signal.getitimer(signal.ITIMER_PROF) != (0.0, 0.0):
            return
        signal.signal(signal.SIGPROF, self.sample)
        signal.siginterrupt(signal.SIGPROF, False)  # noqa: FBT003 - code in C that does not try again is not disturbed
        signal.setitimer(signal.ITIMER_PROF, PERIOD, PERIOD)
        self._runs, self.at, self.shares = True, self.runtime.now(), {}

    def stop(self) -> None:
        """Take no more samples. The signal is ignored from now on: one may be on its way, and would end the program."""
        if self._runs:
            self._runs, self.shares = False, None
            signal.setitimer(signal.ITIMER_PROF, 0.0)
            signal.signal(signal.SIGPROF, signal.SIG_IGN)

    def sample(self, _: int, __: FrameType | None) -> None:
        """Note the process that runs: the handler of the signal."""
        self.samples[current.get(None)] += 1

    def second(self) -> None:
        """Make shares of the samples since the last time, and begin anew."""
        if self._runs:
            now = self.runtime.now()
            seconds, self.at = max(now - self.at, 0.001), now
            samples, self.samples = self.samples, Counter()
            self.shares = {
                pid: count * PERIOD / seconds
                for pid, count in samples.items()
                if pid is not None and pid.runtime is self.runtime
            }
