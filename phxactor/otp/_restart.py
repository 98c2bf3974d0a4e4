"""What a supervisor decides when a child ends. Pure functions (docs/otp-semantics.md, sections 6.3 to 6.8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, TypeVar

from phxactor.otp._child_spec import BRUTAL_KILL, ChildSpec, Restart
from phxactor.runtime import KILLED, NORMAL, SHUTDOWN, Reason, Shutdown, is_atom, is_benign

Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
AutoShutdown: TypeAlias = Literal["never", "any_significant", "all_significant"]
Id = TypeVar("Id")


def restarts(restart: Restart, reason: Reason) -> bool:
    """Tell whether a child that ended so is started again (S20 to S22)."""
    return restart == "permanent" or (restart == "transient" and not is_benign(reason))


def reported(restart: Restart, reason: Reason) -> bool:
    """Tell whether the end of a child is worth a report: permanent ones never should, others if abnormal (L7)."""
    return restart == "permanent" or not is_benign(reason)


def affected(strategy: Strategy, ids: Sequence[Id], failed: Id) -> Sequence[Id]:
    """Return the children that start again when `failed` does, in start order; they stop in the reverse (S25 to S27).

    `ids` are all children in start order. Those that are down are started too (S28); temporary ones only stop (S29).
    """
    if strategy == "one_for_one":
        return (failed,)
    return ids[ids.index(failed) :] if strategy == "rest_for_one" else ids


def shuts_down(auto_shutdown: AutoShutdown, *, significant: bool, others_left: bool) -> bool:
    """Tell whether a supervisor ends with a child that ended for good (S91, S92).

    `others_left` says whether another significant child runs or is being restarted.
    """
    return significant and (
        auto_shutdown == "any_significant" or (auto_shutdown == "all_significant" and not others_left)
    )


def obeyed(spec: ChildSpec, reason: Reason, *, dynamic: bool = False) -> bool:
    """Tell whether a child that was shut down ended as it should; else it is reported (S56, D12)."""
    permanent = spec.restart == "permanent"
    if spec.shutdown == BRUTAL_KILL:
        return is_atom(reason, KILLED) or (not dynamic and not permanent and is_benign(reason))
    if is_atom(reason, SHUTDOWN):
        return True
    if issubclass(type(reason), Shutdown):
        return dynamic or not permanent
    return is_atom(reason, NORMAL) and not permanent
