"""What an exit reason means, in plain words behind Elixir's, for log lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from phxactor.runtime._reasons import format_reason

if TYPE_CHECKING:
    from phxactor.runtime._reasons import Reason

_WORDS: Final = {
    "noproc": "there is no such process",
    "timeout": "no answer came in time",
    "killed": "something has killed it",
    "calling_self": "a process has called itself, which would wait for ever",
    "already_started": "a process with this name runs already",
    "bad_return": "a callback has returned a value of a wrong kind",
    "noconnection": "its program cannot be reached",
}


def describe_reason(reason: Reason) -> str:
    """Write a reason as Elixir would, and what it means: `:noproc (there is no such process)`. Never raises."""
    text = format_reason(reason)
    try:
        first = reason[0] if isinstance(reason, tuple) and reason else reason
        words = _WORDS.get(first) if isinstance(first, str) else None
    except BaseException:  # noqa: BLE001 - a reason may be any value of a program
        return text
    return text if words is None else f"{text} ({words})"
