"""The exceptions that an asyncio program sees. All are ordinary ones: an `Exit` would pass its `except Exception`."""

from __future__ import annotations

from phxactor.runtime import Reason, format_reason


class GuestError(RuntimeError):
    """The guest could not start, or it has ended by itself: the program goes on without its processes."""


class ProcessExitError(RuntimeError):
    """The process that worked for a `process_call` has ended without a value."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"the process has ended: {format_reason(reason)}")
        self.reason = reason
        """Its exit reason; for a call to a process that is gone, the reason of the `Exit` which that raised."""
