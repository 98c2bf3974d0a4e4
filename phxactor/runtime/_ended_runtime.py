"""A runtime that has ended, as its `main` sees it: without keeping it in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, final
from weakref import ref

from phxactor.runtime._errors import NotAProcessError

if TYPE_CHECKING:
    from phxactor.runtime._runtime import Runtime


@final
class EndedRuntime:
    """Takes the place of the runtime in the pid of `main`: else the two would refer to each other for ever.

    Its attributes are those of the runtime. Raises NotAProcessError if nothing else keeps the runtime in memory.
    """

    __slots__ = ("_runtime",)

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = ref(runtime)

    def __getattr__(self, name: str) -> object:
        """Return an attribute of the runtime."""
        runtime = self._runtime()
        if runtime is None:
            raise NotAProcessError("this runtime has ended")
        return getattr(runtime, name)
