"""Any value of a program as text, bounded in depth, size and time; what may be secret is hidden first."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, Final, TypeAlias

from phxactor.observer._texts import printable
from phxactor.otp import Call, Cast

Redact: TypeAlias = Callable[[object], object]
"""Returns what is shown of a value: of a state, or of a message."""

MESSAGE: Final = 400
"""Maximum characters of a message."""
STATE: Final = 8_000
"""Maximum characters of a state."""
SECONDS: Final = 0.002
"""Seconds that the text of a state may take; what is left then is not shown."""
_LINES: Final = 200


def shown(value: object, redact: Redact | None, most: int = MESSAGE) -> str:
    """Return a value as one short text."""
    hidden, value = _redacted(value, redact)
    return hidden or printable(_Bounded(4, 20).repr(value)[:most])


def message_text(message: object, redact: Redact | None) -> str:
    """Return a message as one short text; `redact` gets the request of a call or a cast."""
    if type(message) is Call:
        return f"call {shown(message.request, redact)}"
    return f"cast {shown(message.request, redact)}" if type(message) is Cast else shown(message, redact)


def state(value: object, redact: Redact | None) -> str:
    """Return a state as text: its attributes one below the other."""
    hidden, value = _redacted(value, redact)
    if hidden:
        return hidden
    bounded = _Bounded(6, 50)
    if isinstance(value, Mapping) and value:
        lines = []
        for name, one in _first(value, _LINES):
            key = name if isinstance(name, str) else bounded.repr(name)
            lines.append(f"{printable(key[:80])} = {printable(bounded.repr(one))}")
        text = "\n".join(lines)
    else:
        text = printable(bounded.repr(value))
    return text if len(text) <= STATE else f"{text[: STATE - 1]}…"


def _redacted(value: object, redact: Redact | None) -> tuple[str | None, object]:
    if redact is None:
        return None, value
    try:
        return None, redact(value)
    except BaseException as error:  # noqa: BLE001 - the program's function: what it failed to hide is not shown
        return f"hidden: redact raised {type(error).__name__}", None


def _first(value: Mapping[Any, Any], most: int) -> list[tuple[Any, Any]]:
    try:
        return [pair for _, pair in zip(range(most), value.items(), strict=False)]
    except BaseException:  # noqa: BLE001 - a mapping of a program
        return []


class _Bounded(reprlib.Repr):
    """Representations with limits; one that takes too long is left out from there on."""

    def __init__(self, depth: int, items: int) -> None:
        super().__init__()
        self.maxlevel = depth
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdeque = items
        self.maxstring = self.maxother = 300
        self.until = perf_counter() + SECONDS

    def repr1(self, x: Any, level: int) -> str:  # noqa: ANN401 - of any value
        """Return the representation of one value."""
        if perf_counter() > self.until:
            return "…"
        try:
            return super().repr1(x, level)
        except BaseException:  # noqa: BLE001 - raised by a program's own __repr__
            return f"<{type(x).__qualname__}: its __repr__ raised>"
