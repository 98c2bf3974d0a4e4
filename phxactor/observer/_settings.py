"""The options of an observer, checked when they are given."""

from __future__ import annotations

from typing import final

import attrs

from phxactor import _checks as check
from phxactor.observer._guard import Guard
from phxactor.observer._values import Redact


@final
@attrs.frozen
class Settings:
    """What `observer_routes` was given."""

    path: str
    guard: Guard
    actions: bool
    """Whether viewers may change something."""
    redact: Redact | None

    @staticmethod
    def made(path: str, guard: Guard, actions: object, redact: Redact | None) -> Settings:
        """Make the settings. Raises TypeError or ValueError for wrong options."""
        if path.endswith("/") or not path.startswith("/"):
            raise ValueError(f"the observer's path must be like '/observer', with no slash at its end; got {path!r}")
        if redact is not None and not callable(redact):
            raise TypeError(f"redact must be a function of a value; got {redact!r:.200}")
        return Settings(path, guard, check.flag("actions", actions), redact)
