"""The forced end of a program that cannot end by itself: a thread ends it when its time is over.

A body without a checkpoint, a body that catches its own cancellation in a loop, or a shield that nothing lifts keeps
trio's loop from ending (TM8, TM9). A service manager waits for the end before it restarts, so the end must come.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from math import inf
from time import monotonic
from typing import Final, NoReturn

from phxactor.runtime._countdown import LATE, SLICE

LAST: Final = 1.0
"""Seconds between the kill of all processes and the forced end, for their `finally` blocks."""
_REPORT_TIMEOUT: Final = 1.0
"""Seconds that the last message may take: the reader of standard error may have stopped reading."""


class HardStop:
    """Ends one program by force; made in the thread that runs the program."""

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        """The exception with which the program will end, once it is known; printed at a forced end."""
        self._program = threading.get_ident()
        self._ended = threading.Event()
        self._waiting: list[threading.Thread] = []

    def ended(self) -> None:
        """Note that the program has ended by itself, and end all armed threads."""
        self._ended.set()
        for thread in self._waiting:
            thread.join()

    def arm(self, seconds: float, number: int | None = None) -> None:
        """End the program after `seconds` if it still runs then: by the signal `number`, or with exit code 1."""
        if seconds != inf:
            thread = threading.Thread(target=self._wait, args=(seconds, number), name="phxactor hard stop", daemon=True)
            thread.start()
            self._waiting.append(thread)

    def now(self, why: str) -> NoReturn:
        """End the program with exit code 1; print why, and the failure."""
        reporter = threading.Thread(target=self._report, args=(why,), daemon=True)
        reporter.start()
        reporter.join(_REPORT_TIMEOUT)
        os._exit(1)

    def _wait(self, seconds: float, number: int | None) -> None:
        late = False
        while seconds > 0:  # in slices, since a pause of the program does not count (see `countdown`)
            began, step = monotonic(), min(seconds, SLICE)
            if self._ended.wait(step):
                return
            late = not late and monotonic() - began > step + LATE
            if not late:
                seconds -= step
        if number is not None:
            os.kill(os.getpid(), number)
            return
        stack = "".join(traceback.format_stack(sys._current_frames().get(self._program)))  # noqa: SLF001 - documented
        self.now(f"it has not ended {seconds:g} s after it was told to; it is here:\n{stack}")

    def _report(self, why: str) -> None:
        if self.failure is not None:
            traceback.print_exception(self.failure)
        print(f"phxactor: the program is ended by force: {why.rstrip()}", file=sys.stderr, flush=True)  # noqa: T201 - the last words
