"""Child specifications: how a supervisor starts, restarts and stops a child (OTP-SEMANTICS section 6.1)."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal, Protocol, TypeAlias, runtime_checkable

import attrs

from phxactor.otp.results import Error, Ignore, Ok
from phxactor.runtime import Pid

Started: TypeAlias = "Ok[Pid] | Error | Ignore"
StartFunction: TypeAlias = Callable[..., "Started | Awaitable[Started]"]
"""Starts a process linked to the caller and says how that went; it may answer at once or be awaited (S11)."""

Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
BRUTAL_KILL: Final = "brutal_kill"
WORKER_SHUTDOWN: Final = 5.0
"""Seconds that a worker has to end, by default; a supervisor has for ever (S1)."""


@attrs.frozen(kw_only=True)
class ChildSpec:
    """What a supervisor knows of a child.

    `start` is `(function, args, kwargs)`; `restart` one of permanent, transient, temporary (S20 to S22); `shutdown` the
    seconds between "please end" and the kill, `math.inf` for no kill, or `"brutal_kill"`; None for the default of the
    `type`. `significant` children can end their supervisor (S90 to S94).
    """

    id: object
    start: tuple[StartFunction, tuple[object, ...], Mapping[str, object]]
    restart: Restart = "permanent"
    shutdown: float | Literal["brutal_kill"] | None = None
    type: Literal["worker", "supervisor"] = "worker"
    significant: bool = False
    modules: tuple[object, ...] = ()

    def grace(self) -> float:
        """Return the seconds that the child has to end; 0 for `brutal_kill`, infinity for never killed."""
        if self.shutdown is None:
            return math.inf if self.type == "supervisor" else WORKER_SHUTDOWN
        return 0.0 if self.shutdown == BRUTAL_KILL else float(self.shutdown)


@runtime_checkable
class HasChildSpec(Protocol):
    """A class that says itself how it is supervised."""

    def child_spec(self, *args: object, **kwargs: object) -> ChildSpec:
        """Make the specification for these arguments."""
