"""What makes the schedules of one test, and knows what they have in common: Hypothesis does so."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from phxactor.testing.exploration import CAUSES, ChangedError, Guide

if TYPE_CHECKING:
    from phxactor.testing.schedule import Schedule


class Orders(Protocol):
    """What the schedules of one test have in common."""

    def guide(self, schedule: Schedule) -> Guide:
        """Make the guide of a play, and tell the schedule whether the play is read."""

    def plainest(self, schedule: Schedule, error: Exception, run: Callable[[], object]) -> Exception:
        """Return the error of the plainest order that fails as the last play did; that order is then played last."""


def check_order(order: object, where: str) -> None:
    """Raise ChangedError if a play was not the order that was given by hand; `where` says from which choice on."""
    if where:
        raise ChangedError(
            f"Schedule({order!r}) is no order of this program: {where}. The program has changed since the order was "
            f"found: look for it again, by `explore` or `schedule()`. Or it is not the same twice. {CAUSES}"
        )
