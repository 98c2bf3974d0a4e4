"""The telemetry event of what viewers do to the program."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from phxactor.telemetry import Event, log

action: Final = Event(
    "phxactor.observer.action",
    "A viewer of the observer changes something: action (such as kill), target (what it is done to), peer (the "
    "viewer's address).",
)


def _line(fields: Mapping[str, object]) -> str:
    return f"the observer's viewer {fields['peer']} does {fields['action']} to {fields['target']}"


log(action, logging.WARNING, _line)
