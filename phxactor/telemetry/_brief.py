"""Values as short texts, for log lines and errors."""

from __future__ import annotations

import reprlib
from typing import Final

_SHORTEN: Final = reprlib.Repr()
_SHORTEN.maxstring = _SHORTEN.maxother = 200


def brief(value: object) -> str:
    """Show any value in a few hundred characters, even if it is huge or its `__repr__` raises."""
    try:
        return _SHORTEN.repr(value)
    except BaseException:  # noqa: BLE001 - the __repr__ of a program's value may raise anything
        return object.__repr__(value)
