"""SIGINT and SIGTERM while a program runs: the first stops it in order, the second kills (TM33).

Python runs a signal handler in the main thread between two instructions, whatever the program's loop does. So a handler
only asks the loop to act, and arms a thread that ends the program in time even if the loop does not answer.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Self

from phxactor.runtime import fork
from phxactor.runtime._hard_stop import LAST, HardStop

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class SystemSignals:
    """A block in which the two signals stop a program.

    Args:
        stop_timeout: seconds that an orderly stop may take.
        hard_stop: what ends the program in time if neither function does.
        stop: asks the program's loop to stop in order; it must not wait.
        kill: asks the loop to kill all processes; it must not wait.
        parent: whether a parent stops and kills this program. Then a second SIGTERM changes nothing, and SIGINT and
            SIGHUP, which a terminal sends to all processes, are left to the parent. A parent that starts the program
            with SIGINT blocked keeps it from its first instruction on: the block ends here.

    """

    def __init__(
        self,
        stop_timeout: float,
        hard_stop: HardStop,
        *,
        stop: Callable[[], None],
        kill: Callable[[], None],
        parent: bool = False,
    ) -> None:
        self.forced = False
        """Whether a second signal has come."""
        self._stop = stop
        self._kill = kill
        self._stop_timeout = stop_timeout
        self._hard_stop = hard_stop
        self._told = False
        self._parent = parent
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        numbers = (*_SIGNALS, signal.SIGHUP) if self._parent else _SIGNALS
        self._before = {number: signal.signal(number, self._receive) for number in numbers}
        fork.received.update(numbers)
        if self._parent:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        return self

    def __exit__(self, *_: object) -> None:
        fork.received.difference_update(self._before)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _: FrameType | None) -> None:
        if self._parent and (number != signal.SIGTERM or self._told):
            return
        if not self._told:
            self._told = True
            self._hard_stop.arm(self._stop_timeout + LAST)
            self._stop()
        else:
            self.forced = True
            for one in _SIGNALS:
                signal.signal(one, signal.SIG_DFL)
            self._hard_stop.arm(LAST, number)
            self._kill()
