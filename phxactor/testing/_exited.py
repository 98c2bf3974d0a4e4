"""What a test raises in place of an `Exit`."""

from __future__ import annotations

from phxactor.runtime import Exit


class ExitedError(AssertionError):
    """A test raised an `Exit`, with the same `reason`.

    An `Exit` is not an `Exception`, so Hypothesis would stop at it instead of shrinking.
    """

    __module__ = "phxactor.testing.schedule"  # where programs import it from

    def __init__(self, error: Exit) -> None:
        """Copy the reason and the traceback."""
        super().__init__(str(error))
        self.reason = error.reason
        self.__traceback__ = error.__traceback__
