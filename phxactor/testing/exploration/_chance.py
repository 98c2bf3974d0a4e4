"""The replacement of trio's random source, which trio asks to shuffle each batch of ready tasks."""

from __future__ import annotations

from collections.abc import Callable, MutableSequence
from random import Random
from typing import Any, Final, final

from trio.lowlevel import Task

from phxactor.runtime import private

_run: Final = private("_run", "_r.shuffle", "GLOBAL_RUN_CONTEXT")


@final
class Chance(Random):
    """A random source that shuffles nothing, and hands over each batch."""

    def __init__(self, begin: Callable[[list[Task]], None], runner: Any) -> None:  # noqa: ANN401 - private to trio
        """Start from the same seed each time."""
        super().__init__(0)
        self._begin = begin
        self._runner = runner

    def shuffle(self, x: MutableSequence[Any]) -> None:
        """Take over a batch; not of loops of other threads."""
        if _run.GLOBAL_RUN_CONTEXT.runner is self._runner and isinstance(x, list):
            self._begin(x)
