"""Panels whose viewers may change something: only where the program allows it, and never silently."""

from __future__ import annotations

from typing import Final

from phxactor.observer import events
from phxactor.observer._panel import Panel
from phxactor.otp import Error
from phxactor.runtime import self_pid

_OFF: Final = Error({"reason": "actions are off"})


class ActingPanel(Panel):
    """A panel with buttons."""

    def act(self, action: str, target: object) -> Error | None:
        """Tell of an action that is about to be done; return the refusal where actions are off."""
        self.heard = self_pid().runtime.now()
        if not self.settings.actions:
            return _OFF
        if events.action.handlers:
            events.action.emit(action=action, target=repr(target)[:200], peer=self.assigns.observer_peer)
        return None
