"""The requests to a supervisor, and its answers (docs/otp-semantics.md, section 6.7)."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import attrs

from phxactor.otp._call import Call
from phxactor.otp._child_spec import ChildSpec, ChildType
from phxactor.otp._intensity import Intensity
from phxactor.runtime import From, Pid

RESTARTING: Final = "restarting"
ChildState: TypeAlias = "Pid | Literal['restarting'] | None"
"""The pid of a running child; `RESTARTING` while its start is retried; None if it is down."""


@attrs.frozen
class ChildInfo:
    """A child in the answer of `which_children`; its `id` is None in a DynamicSupervisor (S75, D13)."""

    id: object
    pid: ChildState
    type: ChildType
    modules: tuple[object, ...]


@attrs.frozen
class ChildCount:
    """The answer of `count_children` (S76, D14)."""

    specs: int
    """Number of children, running or not."""
    active: int
    """Number of running children."""
    supervisors: int
    """Number of children of type supervisor, running or not."""
    workers: int
    """Number of children of type worker, running or not."""


@attrs.frozen
class ChildStatistics:
    """A snapshot of a child."""

    id: object
    pid: ChildState
    type: ChildType
    restarts: int
    """Number of restarts of this child so far."""


@attrs.frozen
class SupervisorStatistics:
    """A snapshot of a supervisor."""

    strategy: str
    max_restarts: int
    """Number of restarts that it allows within `max_seconds`."""
    max_seconds: int
    restarts: int
    """Number of restarts within the last `max_seconds`."""
    children: tuple[ChildStatistics, ...]
    """The children: of a Supervisor in start order, of a DynamicSupervisor in no particular order."""


class StartChild(Call):
    """Start the child of this specification; `arguments` follow its own arguments of the start function."""

    __slots__ = ("arguments",)

    def __init__(self, request: object, from_: From, arguments: tuple[object, ...] = ()) -> None:
        """Store all."""
        super().__init__(request, from_)
        self.arguments = arguments


class TerminateChild(Call):
    """Shut down the child with this id, or in a DynamicSupervisor with this pid."""

    __slots__ = ()


class RestartChild(Call):
    """Start the child with this id, which is down."""

    __slots__ = ()


class DeleteChild(Call):
    """Delete the child with this id, which is down."""

    __slots__ = ()


class GetChildSpec(Call):
    """Answer the specification of the child with this id or this pid."""

    __slots__ = ()


class WhichChildren(Call):
    """List the children."""

    __slots__ = ()


class CountChildren(Call):
    """Count the children."""

    __slots__ = ()


def count(specs: list[ChildSpec], active: int) -> ChildCount:
    """Make the answer of `count_children`."""
    supervisors = sum(spec.type == "supervisor" for spec in specs)
    return ChildCount(len(specs), active, supervisors, len(specs) - supervisors)


def statistics(
    strategy: str, intensity: Intensity, now: float, children: list[ChildStatistics]
) -> SupervisorStatistics:
    """Make the snapshot of a supervisor; `now` is in seconds of the runtime's clock."""
    return SupervisorStatistics(
        strategy=strategy,
        max_restarts=intensity.max_restarts,
        max_seconds=intensity.max_seconds,
        restarts=intensity.used(now),
        children=tuple(children),
    )
