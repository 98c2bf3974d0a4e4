"""Short texts of any values, for people: bounded, on one line, and without control characters."""

from __future__ import annotations

import reprlib
from typing import Final

LENGTH: Final = 80
"""Maximum characters of a name or label, since labels may hold what a client sent."""

_shorten = reprlib.Repr()
_shorten.maxother = LENGTH


def text(value: object, length: int = LENGTH) -> str:
    """Make one short line of any value, and replace control characters, since terminals would obey them."""
    if type(value) is type:
        value = value.__qualname__
    shown = value if type(value) is str else _represented(value)
    if len(shown) > length:
        shown = shown[: length - 1] + "…"
    return printable(shown)


def printable(shown: str, keep: str = "") -> str:
    """Replace each character that is neither printable nor one of `keep`."""
    if shown.isprintable():
        return shown
    return "".join(one if one.isprintable() or one in keep else "\N{REPLACEMENT CHARACTER}" for one in shown)


def optional(value: object) -> str | None:
    """Return the text of a value, or None for None."""
    return None if value is None else text(value)


def _represented(value: object) -> str:
    try:
        return _shorten.repr(value)
    except BaseException:  # noqa: BLE001 - raised by a program's own __repr__
        return object.__repr__(value)
