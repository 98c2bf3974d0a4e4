"""What the runtime raises: exits, which end a process, and the errors of a wrong call."""

from __future__ import annotations

from phxactor.runtime.reasons import Reason, format_reason


class Exit(BaseException):
    """Ends the process that raises it, with exactly `reason` (P4).

    Not an `Exception`, so that `except Exception` lets it pass; it may be caught like any other (P6).
    """

    def __init__(self, reason: Reason) -> None:
        """Keep the reason."""
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        """Show the reason as Elixir would."""
        return format_reason(self.reason)


class NoProcessError(LookupError):
    """The process is gone, or the name is not registered (X13, NM3)."""


class NameTakenError(ValueError):
    """A name cannot be registered: it or the process already has an owner, or the process is gone (NM1)."""


class NotAProcessError(RuntimeError):
    """The call needs a current process, and this task is none."""
