"""The flags that a supervisor's `init` returns: its children and the rules for them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import get_args

import attrs

from phxactor import _checks as check
from phxactor.otp._child_spec import Child, ChildSpec, child_spec
from phxactor.otp._intensity import Intensity
from phxactor.otp._restart import AutoShutdown, Strategy
from phxactor.otp._results import Flags

MAX_RESTARTS = 3
MAX_SECONDS = 5
"""Elixir's defaults: at most 3 restarts in 5 seconds; plain OTP allows 1 restart (S8)."""


def _specs(children: Iterable[Child]) -> tuple[ChildSpec, ...]:
    return tuple(child_spec(child) for child in children)


@attrs.frozen
class Supervise(Flags):
    """Supervise these children, started in this order.

    `strategy` selects the children that restart when a child has ended: this child (`"one_for_one"`), all children
    (`"one_for_all"`), or this child and those started after it (`"rest_for_one"`). More than `max_restarts` within
    `max_seconds` end the supervisor (S40). With an `auto_shutdown` of `"any_significant"` or `"all_significant"`, ends
    of significant children that are not restarted also end the supervisor (S90 to S94).

    Raises ValueError or TypeError for wrong values (S2, S5).
    """

    children: tuple[ChildSpec, ...] = attrs.field(converter=_specs)
    strategy: Strategy = attrs.field(
        default="one_for_one", kw_only=True, validator=check.validator(check.one_of(get_args(Strategy)))
    )
    max_restarts: int = attrs.field(default=MAX_RESTARTS, kw_only=True)
    max_seconds: int = attrs.field(default=MAX_SECONDS, kw_only=True)
    auto_shutdown: AutoShutdown = attrs.field(
        default="never", kw_only=True, validator=check.validator(check.one_of(get_args(AutoShutdown)))
    )

    def __attrs_post_init__(self) -> None:
        """Raise ValueError for wrong numbers."""
        Intensity(self.max_restarts, self.max_seconds)


@attrs.frozen(kw_only=True)
class SuperviseDynamically(Flags):
    """Supervise independent children that are started later (D1).

    There are at most `max_children` at a time (D6). Their start functions get `extra_arguments` before their own
    arguments (D7). More than `max_restarts` within `max_seconds` end the supervisor (S40). Raises ValueError for wrong
    numbers.
    """

    max_children: float = math.inf
    max_restarts: int = MAX_RESTARTS
    max_seconds: int = MAX_SECONDS
    extra_arguments: tuple[object, ...] = attrs.field(default=(), converter=tuple)

    def __attrs_post_init__(self) -> None:
        """Raise ValueError for wrong numbers."""
        check.most("max_children", self.max_children)
        Intensity(self.max_restarts, self.max_seconds)
