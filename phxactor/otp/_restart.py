"""The decisions of a supervisor when a child ends: pure functions (docs/otp-semantics.md, sections 6.3 to 6.8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, TypeVar

from phxactor.otp._child_spec import BRUTAL_KILL, ChildSpec, Restart
from phxactor.runtime import KILLED, NORMAL, SHUTDOWN, Reason, Shutdown, is_atom, is_benign

Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
AutoShutdown: TypeAlias = Literal["never", "any_significant", "all_significant"]
Id = TypeVar("Id")


def restarts(restart: Restart, reason: Reason) -> bool:
    """Return whether a child that ended with `reason` is restarted (S20 to S22)."""
    return restart == "permanent" or (restart == "transient" and not is_benign(reason))


def reported(restart: Restart, reason: Reason) -> bool:
    """Return whether the end of a child is reported: always of a permanent child, else if it is abnormal (L7)."""
    return restart == "permanent" or not is_benign(reason)


def affected(strategy: Strategy, ids: Sequence[Id], failed: Id) -> Sequence[Id]:
    """Return the children that restart with `failed`, in start order; they stop in reverse order (S25 to S27).

    `ids` are all children in start order. Children that are down start too (S28); temporary children only stop (S29).
    """
    if strategy == "one_for_one":
        return (failed,)
    return ids[ids.index(failed) :] if strategy == "rest_for_one" else ids


def shuts_down(auto_shutdown: AutoShutdown, *, significant: bool, others_left: bool) -> bool:
    """Return whether a supervisor shuts down after a child has ended and is not restarted (S91, S92).

    `others_left` says whether another significant child runs or is being restarted.
    """
    return significant and (
        auto_shutdown == "any_significant" or (auto_shutdown == "all_significant" and not others_left)
    )


def obeyed(spec: ChildSpec, reason: Reason, *, dynamic: bool = False) -> bool:
    """Return whether a child that was shut down ended as expected; else its end is reported (S56, D12)."""
    permanent = spec.restart == "permanent"
    if spec.shutdown == BRUTAL_KILL:
        return is_atom(reason, KILLED) or (not dynamic and not permanent and is_benign(reason))
    if is_atom(reason, SHUTDOWN):
        return True
    if issubclass(type(reason), Shutdown):
        return dynamic or not permanent
    return is_atom(reason, NORMAL) and not permanent
