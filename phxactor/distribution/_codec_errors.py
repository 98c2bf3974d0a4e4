"""What the codec raises, and what stands for values that stay on their node."""

from __future__ import annotations

import traceback
from typing import Final

import attrs

MAX_NAME: Final = 200
"""Characters of a type's name that travel, at most."""
MAX_TEXT: Final = 2000
"""Characters of a text or a `repr` that travel, at most."""
MAX_TRACEBACK: Final = 16_000
"""Characters of a traceback that travel, at most: its end, where the error was raised."""


class CannotTravelError(TypeError):
    """A value that is no data, or too large, so it cannot go to another node; the text names the path to it."""


class DecodeError(ValueError):
    """Bytes that are no value of this codec, or a message that does not fit its declaration here."""


class RemoteError(Exception):
    """What a process of another node has raised, as data: `Crash(RemoteError(...))` is how its `Crash` arrives."""

    def __init__(self, type_name: str, text: str, traceback_text: str = "") -> None:
        """Keep the name of the exception's type, its text, and its traceback as text."""
        super().__init__(type_name, text, traceback_text)
        self.type_name = type_name
        self.text = text
        self.traceback_text = traceback_text

    def __str__(self) -> str:
        """Return type and text, as the last line of a traceback does."""
        return f"{self.type_name}: {self.text}" if self.text else self.type_name


@attrs.frozen
class RemoteValue:
    """What stands in an exit reason for a value that is no data: an exit must arrive, whatever its reason holds."""

    type_name: str
    text: str
    """Its `repr`, cut to 2,000 characters."""


def parts_of(exception: BaseException) -> tuple[str, str, str]:
    """Return type name, text and traceback text of an exception, each bounded. Never raises."""
    if type(exception) is RemoteError:
        return exception.type_name, exception.text, exception.traceback_text
    try:
        text = str(exception)
    except BaseException:  # noqa: BLE001 - the __str__ of a program's exception may raise anything
        text = "(its __str__ raises)"
    try:
        written = "".join(traceback.format_exception(exception, limit=-50))
    except BaseException:  # noqa: BLE001 - the same
        written = ""
    return plain_text(type(exception).__name__, MAX_NAME), plain_text(text), plain_text(written[-MAX_TRACEBACK:], None)


def remote_value(value: object) -> RemoteValue:
    """Describe a value that cannot travel. Never raises."""
    try:
        text = repr(value)
    except BaseException:  # noqa: BLE001 - the __repr__ of a program's value may raise anything
        text = object.__repr__(value)
    return RemoteValue(plain_text(type(value).__name__, MAX_NAME), plain_text(text))


def plain_text(text: str, most: int | None = MAX_TEXT) -> str:
    """Cut a text to a number of characters, and write halves of surrogate pairs as escapes."""
    if most is not None and len(text) > most:
        text = text[: most - 1] + "…"
    return text.encode(errors="backslashreplace").decode()
