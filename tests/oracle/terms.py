"""Terms of the record and values of this runtime: atoms are strings, tuples are arrays, errors go by Elixir's names."""

from __future__ import annotations

from phxactor.runtime import Crash, NoProcessError, Reason, Shutdown


class Thrown(Exception):
    """What the command `throw` raises, for want of a `throw` (P3)."""

    def __init__(self, value: object) -> None:
        super().__init__(value)
        self.value = value


def to_reason(term: object) -> Reason:
    """Read an exit reason."""
    match term:
        case ["shutdown", detail]:
            return Shutdown(detail)
        case list():
            return tuple(term)
        case _:
            return term


def from_reason(reason: Reason) -> object:
    """Write an exit reason."""
    match reason:
        case Shutdown(detail=detail):
            return ["shutdown", detail]
        case Crash(exception=Thrown(value=value)):
            return ["nocatch", value]
        case Crash(exception=error):
            return ["error", error_name(error)]
        case tuple():
            return list(reason)
        case _:
            return reason


def error_name(error: BaseException) -> str:
    """Name an error that `link` or a body raised as Elixir does."""
    return "noproc" if isinstance(error, NoProcessError) else type(error).__name__
