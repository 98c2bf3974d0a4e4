"""The watch that cancels a raw socket's handler which hangs after its client has left.

Otherwise, each client that leaves a hanging handler would leave a process behind.
"""

from __future__ import annotations

from typing import Final, final

import trio

from phxactor.runtime import Runtime, Timer

LEAVING: Final = 5.0
"""Seconds that the handler has for each message once the client has left, or the connection is ending."""


@final
class HandlerWatch:
    """Cancels the handler if it finishes no message for `LEAVING` seconds after `begin`."""

    __slots__ = ("_runtime", "_timer", "handled", "scope")

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._timer: Timer | None = None
        """The timer of the next check; None before `begin`."""
        self.handled = 0
        """Number of messages that the handler has finished."""
        self.scope: trio.CancelScope | None = None
        """The cancel scope around the handler and the reading task; None while they do not run."""

    def begin(self) -> None:
        """Check after `LEAVING` seconds whether the handler hangs, since its client is gone."""
        if self._timer is None and self.scope is not None:
            self._timer = self._runtime.patience.add(LEAVING, self._look, self.handled)

    def end(self) -> None:
        """Check no more: the handler has ended."""
        self.scope = None
        if self._timer is not None:
            self._runtime.patience.discard(self._timer)

    def _look(self, handled: int) -> None:
        """Cancel the handler if it has finished no message since the last check."""
        self._timer = None
        if self.scope is not None:
            if handled == self.handled:
                self.scope.cancel(reason="the client has left")
            else:
                self.begin()
