"""What is wrong with bytes from outside, or with a message that cannot become bytes."""

from __future__ import annotations

from typing import Literal, TypeAlias

Fault: TypeAlias = Literal["size", "length", "version", "text", "number", "secret", "forged", "json"]
"""A word for what is wrong, for counts.

- "size": more bytes than are allowed;
- "length": shorter than it says, or than anything can be;
- "version": a version of the format that this program does not know;
- "text": not UTF-8, or half of a surrogate pair;
- "number": a number that no sender gives;
- "secret": sealed, but there is no secret here; or not sealed, but there is one;
- "forged": the seal is wrong: another secret, another channel, or changed bytes;
- "json": not the JSON form, or a payload that is not JSON.
"""


class EnvelopeError(ValueError):
    """Bytes that are no message, or a message that cannot become bytes. `fault` is the word for it.

    The text names the mistake, and holds nothing of what came.
    """

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault: Fault = fault

    def __reduce__(self) -> tuple[type[EnvelopeError], tuple[Fault, str]]:
        return type(self), (self.fault, str(self))
