"""Watching: tells the carriers which topics this node wants to hear of, and lets joins wait for their confirmation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, final

from trio.lowlevel import Abort, RaiseCancelT, Task, current_task, reschedule, wait_task_rescheduled

from phxactor.cluster import events
from phxactor.cluster._interest import Interest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phxactor.cluster._carried import Carried
    from phxactor.runtime import Runtime, Timer

CONFIRM: Final = 1.0
"""Seconds that `confirmed` waits at most (CL15)."""


@final
class _Waiter:
    """A task that waits for a lane's confirmation."""

    __slots__ = ("is_late", "others", "task")

    def __init__(self, task: Task, others: dict[_Waiter, None]) -> None:
        self.task = task
        self.others = others
        """All that wait for the same lane, and it."""
        self.is_late = False
        """Whether its time is over."""
        others[self] = None

    def stop(self, _: RaiseCancelT) -> Abort:
        """Wait no longer: the task is cancelled."""
        del self.others[self]
        return Abort.SUCCEEDED


def _give_up(waiter: _Waiter) -> None:
    """End a wait that takes too long."""
    if waiter in waiter.others:  # else it is to go on already
        del waiter.others[waiter]
        waiter.is_late = True
        reschedule(waiter.task)


@final
class Watching:
    """The interest of a node, its timers, and those who wait."""

    __slots__ = ("_carried", "_ending", "_interest", "_runtime", "_waiters")

    def __init__(self, runtime: Runtime, carried: Mapping[str, Carried]) -> None:
        """Start without lanes; `carried` are the carriers, which are gone once the node has ended."""
        self._runtime = runtime
        self._carried = carried
        self._interest = Interest()
        self._waiters: dict[str, dict[_Waiter, None]] = {}
        self._ending: Timer | None = None

    @property
    def lanes(self) -> set[str]:
        """All lanes that are watched, those in their grace too."""
        return self._interest.lanes

    @property
    def unconfirmed(self) -> int:
        """How many of them some carrier has not confirmed."""
        return len(self._interest.unconfirmed)

    def watch(self, lane: str, carriers: frozenset[str]) -> None:
        """Watch a lane, which these carriers have to confirm."""
        if self._carried and self._interest.watch(lane, carriers):
            for one in self._carried.values():
                one.carrier.watch((lane,))

    def unwatch(self, lane: str) -> None:
        """End that after a grace."""
        if self._carried:  # else the node has ended
            now = self._runtime.now()
            self._interest.unwatch(lane, now)
            if self._ending is None:  # else the timer of a lane, even if it is watched again, looks for this one too
                self._after_grace(now)

    def is_confirmed(self, lane: str) -> bool:
        """Say whether `confirmed` would return at once."""
        return lane not in self._interest.unconfirmed

    async def confirmed(self, lane: str) -> None:
        """Wait until all carriers that are there have confirmed a lane, at most `CONFIRM` seconds."""
        if lane not in self._interest.unconfirmed:
            return
        waiter = _Waiter(current_task(), self._waiters.setdefault(lane, {}))
        limit = self._runtime.timers.add(CONFIRM, _give_up, waiter)  # a cancel scope would cost many times as much
        try:
            await wait_task_rescheduled(waiter.stop)
        finally:
            self._runtime.timers.discard(limit)
            if not waiter.others and self._waiters.get(lane) is waiter.others:
                del self._waiters[lane]
        if waiter.is_late and events.watch_late.handlers:
            events.watch_late.emit(lane=lane)

    def watched(self, carrier: str, lanes: Iterable[str]) -> None:
        """Note that a carrier has confirmed lanes."""
        self._release(self._interest.confirmed(carrier, lanes))

    def without(self, carrier: str) -> None:
        """Wait no longer for a carrier."""
        self._release(self._interest.without(carrier))

    def end(self) -> None:
        """Let all go on who wait, and tell nobody any more."""
        if self._ending is not None:
            self._runtime.timers.discard(self._ending)
            self._ending = None
        self._release(list(self._waiters))

    def _release(self, lanes: Iterable[str]) -> None:
        if self._waiters:
            for lane in lanes:
                waiting = self._waiters.pop(lane, None)
                if waiting is not None:
                    for waiter in waiting:
                        reschedule(waiter.task)
                    waiting.clear()

    def _after_grace(self, now: float) -> None:
        end = self._interest.next_end()
        if end is not None:
            self._ending = self._runtime.timers.add(end - now, self._end_grace, None)

    def _end_grace(self, _: None) -> None:
        self._ending = None
        now = self._runtime.now()
        lanes = self._interest.given_up(now)
        if lanes:
            self._release(lanes)
            for one in self._carried.values():
                one.carrier.unwatch(lanes)
        self._after_grace(now)
