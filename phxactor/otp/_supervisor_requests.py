"""What a supervisor can be asked, and what it answers (docs/otp-semantics.md, section 6.7)."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import attrs

from phxactor.otp._call import Call
from phxactor.otp._child_spec import ChildSpec, ChildType
from phxactor.otp._intensity import Intensity
from phxactor.runtime import From, Pid

RESTARTING: Final = "restarting"
ChildState: TypeAlias = "Pid | Literal['restarting'] | None"
"""The pid of a child that runs; `RESTARTING` while its start is tried again; None when it is down."""


@attrs.frozen
class ChildInfo:
    """A child in the answer of `which_children`; of a DynamicSupervisor, `id` is None (S75, D13)."""

    id: object
    pid: ChildState
    type: ChildType
    modules: tuple[object, ...]


@attrs.frozen
class ChildCount:
    """The answer of `count_children` (S76, D14)."""

    specs: int
    """Children that are known, whether they run or not."""
    active: int
    """Children that run."""
    supervisors: int
    """Children whose type is supervisor, whether they run or not."""
    workers: int
    """The others."""


@attrs.frozen
class ChildStatistics:
    """A child at one moment."""

    id: object
    pid: ChildState
    type: ChildType
    restarts: int
    """How often it was started again."""


@attrs.frozen
class SupervisorStatistics:
    """A supervisor at one moment."""

    strategy: str
    max_restarts: int
    """Restarts that it stands within `max_seconds`."""
    max_seconds: int
    restarts: int
    """Restarts within the last `max_seconds`."""
    children: tuple[ChildStatistics, ...]
    """In start order; of a DynamicSupervisor, in no particular order."""


class StartChild(Call):
    """Start the child of this specification; `arguments` follow those that its start function is given there."""

    __slots__ = ("arguments",)

    def __init__(self, request: object, from_: From, arguments: tuple[object, ...] = ()) -> None:
        """Keep all."""
        super().__init__(request, from_)
        self.arguments = arguments


class TerminateChild(Call):
    """Shut the child of this id, or of this pid, down."""

    __slots__ = ()


class RestartChild(Call):
    """Start the child of this id, which is down."""

    __slots__ = ()


class DeleteChild(Call):
    """Forget the child of this id, which is down."""

    __slots__ = ()


class GetChildSpec(Call):
    """Show the specification of the child of this id, or of this pid."""

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
    """Make the picture of a supervisor."""
    return SupervisorStatistics(
        strategy=strategy,
        max_restarts=intensity.max_restarts,
        max_seconds=intensity.max_seconds,
        restarts=intensity.used(now),
        children=tuple(children),
    )
