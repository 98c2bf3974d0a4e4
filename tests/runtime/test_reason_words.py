"""Log lines say what a reason means, behind Elixir's word for it."""

from __future__ import annotations

import pytest

from phxactor.runtime import NOPROC, Crash, Reason, Shutdown, describe_reason


class Odd(str):
    """A string that cannot be hashed."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        (NOPROC, ":noproc (there is no such process)"),
        (("noproc", 7), "{:noproc, 7} (there is no such process)"),
        ("killed", ":killed (something has killed it)"),
        ("boom", ":boom"),
        (Shutdown("closed"), "{:shutdown, :closed}"),
        (Crash(ValueError("no")), "(ValueError) no"),
        ((), "{}"),
        (None, "None"),
        (Odd("noproc"), ":noproc"),
    ],
)
def test_a_reason_has_its_meaning_behind_it(reason: Reason, line: str) -> None:
    assert describe_reason(reason) == line
