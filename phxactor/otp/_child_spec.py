"""Child specifications: how a supervisor starts, restarts and stops a child (docs/otp-semantics.md, section 6.1)."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal, Protocol, TypeAlias, get_args, runtime_checkable

import attrs

from phxactor.otp._results import Error, Ignore, Ok
from phxactor.runtime import Pid

Started: TypeAlias = "Ok[Pid] | Error | Ignore"
StartFunction: TypeAlias = Callable[..., "Started | Awaitable[Started]"]
"""Starts a process linked to the caller, and returns the result or an awaitable of it (S11)."""

Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
ChildType: TypeAlias = Literal["worker", "supervisor"]
BRUTAL_KILL: Final = "brutal_kill"
WORKER_SHUTDOWN: Final = 5.0
"""Seconds that a worker has to end by default; a supervisor has no limit (S1)."""

_RESTARTS: Final = frozenset(get_args(Restart))
_TYPES: Final = frozenset(get_args(ChildType))


@attrs.frozen(kw_only=True)
class ChildSpec:
    """How a supervisor starts, restarts and stops a child.

    `start` is `(function, args, kwargs)`. `restart` is permanent, transient or temporary (S20 to S22). `shutdown` is
    the number of seconds between the exit signal `SHUTDOWN` and the kill, `math.inf` for no kill, `"brutal_kill"` for a
    kill at once, or None for the default of the `type`. `significant` children can end their supervisor (S90 to S94).
    `modules` names the child's code, for humans; None means the class or function of `start`.

    Raises ValueError if a field has a wrong value, so every specification that exists is valid (S4).
    """

    id: object
    start: tuple[StartFunction, tuple[object, ...], Mapping[str, object]]
    restart: Restart = "permanent"
    shutdown: float | Literal["brutal_kill"] | None = None
    type: ChildType = "worker"
    significant: bool = False
    modules: tuple[object, ...] | None = None

    def __attrs_post_init__(self) -> None:
        """Raise ValueError for a field with a wrong value."""
        shutdown = self.shutdown
        if not _is_one_of(_RESTARTS, self.restart):
            raise self._wrong("restart", "one of permanent, transient and temporary")
        if not _is_one_of(_TYPES, self.type):
            raise self._wrong("type", "worker or supervisor")
        if not (shutdown is None or _is_seconds(shutdown) or (isinstance(shutdown, str) and shutdown == BRUTAL_KILL)):
            raise self._wrong("shutdown", "a number of seconds of at least 0, brutal_kill, or None")
        if not isinstance(self.significant, bool):
            raise self._wrong("significant", "True or False")
        if not _is_start(self.start):
            raise self._wrong("start", "(function, args, kwargs), such as (Worker.start_link, (1,), {})")

    def _wrong(self, field: str, right: str) -> ValueError:
        return ValueError(f"{field} of the child {self.id!r} is {getattr(self, field)!r}; it must be {right}")

    def grace(self) -> float:
        """Return the seconds that the child has to end; 0 for `brutal_kill`, `math.inf` for no kill."""
        if self.shutdown is None:
            return math.inf if self.type == "supervisor" else WORKER_SHUTDOWN
        return 0.0 if self.shutdown == BRUTAL_KILL else float(self.shutdown)

    def normalised(self) -> ChildSpec:
        """Return a copy with all defaults filled in (S84)."""
        shutdown = self.grace() if self.shutdown is None else self.shutdown
        return attrs.evolve(self, shutdown=shutdown, modules=self.callback_modules())

    def without_arguments(self, like: ChildSpec | None) -> ChildSpec:
        """Return a copy without the start arguments, which a child that never restarts does not need.

        Returns `like`, an earlier copy, if the copy would equal it: so a thousand connections share one copy.
        """
        if like is not None and like.start[0] == self.start[0] and like.id == self.id and self._is_like(like):
            return like
        function, args, kwargs = self.start
        return attrs.evolve(self, start=(function, (), {})) if args or kwargs else self

    def _is_like(self, other: ChildSpec) -> bool:
        return (
            self.shutdown == other.shutdown
            and self.type == other.type
            and self.restart == other.restart
            and self.significant == other.significant
            and self.modules == other.modules
        )

    def callback_modules(self) -> tuple[object, ...]:
        """Return `modules`, by default the class if `start` is a class method, else the start function."""
        if self.modules is not None:
            return self.modules
        function = self.start[0]
        return (getattr(function, "__self__", function),)


def _is_one_of(words: frozenset[str], value: object) -> bool:
    return isinstance(value, str) and value in words


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_start(start: object) -> bool:
    match start:
        case (function, tuple() | list(), Mapping() as kwargs) if isinstance(start, tuple):
            return callable(function) and all(isinstance(name, str) for name in kwargs)
    return False


@runtime_checkable
class HasChildSpec(Protocol):
    """A class that makes its own child specification."""

    def child_spec(self, *args: Any, **kwargs: Any) -> ChildSpec:  # noqa: ANN401
        """Make the specification for these start arguments."""


Child: TypeAlias = "ChildSpec | HasChildSpec | tuple[HasChildSpec, *tuple[object, ...]]"
"""A child: a specification, a class, or a tuple of a class and its start arguments (S2)."""


def child_spec(child: Child, **overrides: Any) -> ChildSpec:  # noqa: ANN401
    """Make the specification of a child, with some of its fields changed (S3).

    Raises TypeError if `child` is no child, or a field does not exist; ValueError for a field with a wrong value.
    """
    if type(child) is ChildSpec:
        return attrs.evolve(child, **overrides) if overrides else child
    match child:
        case HasChildSpec():
            spec = child.child_spec()
        case (HasChildSpec() as behaviour, *args):
            spec = behaviour.child_spec(*args)
        case _:
            raise TypeError(
                f"{child!r} is no child: give a ChildSpec, a class with child_spec(), or a tuple of such a class "
                "and its start arguments"
            )
    if not isinstance(spec, ChildSpec):
        raise TypeError(f"child_spec() of {child!r} returned {spec!r}, and not a ChildSpec")
    return attrs.evolve(spec, **overrides) if overrides else spec
