"""Exit reasons: plain values that say why a process ended, and how they print.

A reason is `NORMAL`, `SHUTDOWN`, `Shutdown(detail)`, `KILLED`, `NOPROC`, `NOCONNECTION`,
`Crash(exception)`, or any other value.
Strings play the part of Erlang's atoms: `"boom"` prints as `:boom`. (docs/otp-semantics.md, section 1.)
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias, TypeGuard

import attrs

Reason: TypeAlias = object
"""Any value; two reasons are the same when they are equal."""

NORMAL: Final = "normal"
"""The body returned. Linked processes go on, nothing is logged, and a transient child is not restarted."""
SHUTDOWN: Final = "shutdown"
"""The process was told to stop. Ends linked processes that do not trap; not logged; no restart if transient."""
KILL: Final = "kill"
"""As a signal: cannot be trapped, and becomes `KILLED`. As a process's own exit reason: an ordinary reason (P5)."""
KILLED: Final = "killed"
"""The reason of a process that was sent `KILL`, and the reason that its links see, which can be trapped (X8)."""
NOPROC: Final = "noproc"
"""There is no such process."""
NOCONNECTION: Final = "noconnection"
"""The node of the process, or the line to it, is lost: whether the process has ended is unknown (ND31, ND34, ND38)."""


@attrs.frozen(repr=False)
class Shutdown:
    """A benign end with a detail: `Shutdown("closed")` is Elixir's `{:shutdown, :closed}`."""

    detail: object

    def __repr__(self) -> str:
        """Show it as Elixir would."""
        return format_reason(self)


@attrs.frozen(repr=False, eq=False)
class Crash:
    """An exception that the process did not catch (P2); equal only to itself."""

    exception: BaseException

    def __repr__(self) -> str:
        """Show the exception's type and text."""
        return format_reason(self)


def exception_of(reason: Reason) -> BaseException | None:
    """Return the exception of a `Crash`; None for any other reason."""
    return reason.exception if type(reason) is Crash else None


def is_atom(reason: Reason, atom: str) -> bool:
    """Return whether a reason is this string, such as `KILLED`.

    The reason may be any value. Its own `__eq__` does not run, since it may raise in a process that only hears of it.
    """
    return issubclass(type(reason), str) and str.__eq__(reason, atom)  # type: ignore[operator]


def same_reason(one: Reason, other: Reason) -> bool:
    """Return whether two reasons are equal; reasons whose comparison raises are not."""
    try:
        return bool(one == other)
    except BaseException:  # noqa: BLE001 - the __eq__ of a program's value may raise anything
        return False


def is_normal(reason: Reason) -> bool:
    """Return whether a reason is `NORMAL`; the reason may be any value (see `is_atom`)."""
    return is_atom(reason, NORMAL)


def is_benign(reason: Reason) -> TypeGuard[str | Shutdown]:
    """Return whether a reason is `NORMAL`, `SHUTDOWN` or a `Shutdown`: no failure to report."""
    return issubclass(type(reason), Shutdown) or is_atom(reason, NORMAL) or is_atom(reason, SHUTDOWN)


_ATOM = re.compile(r"[A-Za-z_][A-Za-z0-9_]*[?!]?\Z")


def format_reason(reason: Reason) -> str:
    """Write a reason as Elixir would: `:normal`, `{:shutdown, :closed}`; a crash as `(ValueError) text`.

    Never raises: callers print a reason when another error is being handled.
    """
    try:
        return _format(reason)
    except BaseException:  # noqa: BLE001 - the __repr__ or __str__ of a program's value may raise anything
        return object.__repr__(reason)


def _format(reason: Reason) -> str:
    match reason:
        case str():
            return f":{reason}" if _ATOM.match(reason) else repr(reason)
        case Shutdown(detail=detail):
            return f"{{:shutdown, {_format(detail)}}}"
        case Crash(exception=exception):
            return f"({type(exception).__name__}) {exception}"
        case tuple():
            return "{" + ", ".join(_format(part) for part in reason) + "}"
        case _:
            return repr(reason)
