"""What a parent is at, and what follows from each thing that happens. Pure code: the parent's process does it.

starting   the first worker of the first generation, then the others, until all are ready
serving    all of one generation are ready, or are started again
reloading  the same as starting, for the next generation, beside the one that serves
stopping   nothing is started any more
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, final

import attrs

from phxactor.workers._plan import End, Phase
from phxactor.workers._restarts import Restarts


@attrs.frozen
class Again:
    """The worker is started again."""

    seconds: float
    """The pause before it."""


@attrs.frozen
class GiveUp:
    """The parent ends."""

    why: str


Verdict: TypeAlias = Again | GiveUp | Literal["start failed", "reload failed"]


@final
class Phases:
    """Holds the phase and the generations of one parent."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._restarts = Restarts(workers)
        self._alone = True
        """Whether only the first worker of the wanted generation has been started."""
        self.phase: Phase = "starting"
        self.wanted = 0
        """The last generation that was begun, from 1."""
        self.serving = 0
        """The generation that serves; 0 for none so far."""
        self.again: str | None = None
        """Why another reload must follow what runs now."""

    def begin(self) -> None:
        """Begin the next generation, with its first worker: if it cannot start, the others cannot either."""
        self.phase = "reloading" if self.serving else "starting"
        self.wanted += 1
        self._alone = True

    def stop(self) -> None:
        """Let nothing be started any more."""
        self.phase = "stopping"

    def reload(self, why: str, *, runs: bool) -> bool:
        """Return whether a reload begins now. One that cannot is noted: one more follows what is under way.

        `runs` says whether there are workers: without any, a start that failed has waited for this.
        """
        if self.phase == "stopping":
            return False
        if self.phase != "serving" and runs:
            self.again = why
            return False
        return True

    def take_again(self) -> str | None:
        """Return why another reload must follow, and forget it."""
        again, self.again = self.again, None
        return again

    def starts(self, generation: int) -> bool:
        """Return whether a worker of this generation may be started, now that a pause is over."""
        is_new = self.phase in ("starting", "reloading") and generation == self.wanted
        return self.phase != "stopping" and (is_new or generation == self.serving)

    def ready(self, generation: int, ready: Mapping[int, bool]) -> Literal["others", "all"] | None:
        """A worker of a generation is ready; return "others" to start those, "all" to serve by this generation only.

        `ready` says of each number in this generation whether it is ready; one that waits for a restart is not in it.
        """
        if self.phase not in ("starting", "reloading") or generation != self.wanted:
            return None
        if self._alone and self._workers > 1:
            self._alone = False
            return "others"
        if len(ready) < self._workers or not all(ready.values()):
            return None
        self.phase, self.serving = "serving", generation
        return "all"

    def ended(self, end: End, now: float, others: int) -> Verdict:
        """Return what follows from an end that nobody has asked for; `others` is how many other workers serve.

        A worker that was ready once has shown that the program can start, so its end does not end a start. It ends a
        reload, for which the old workers are better.
        """
        if end.generation == self.wanted:
            if self.phase == "reloading":
                self.phase = "serving"
                return "reload failed"
            if self.phase == "starting" and not end.was_ready:
                return "start failed"
        pause = self._restarts.ended(end.number, now, was_ready=end.was_ready, others=others)
        return GiveUp(pause) if isinstance(pause, str) else Again(pause)
