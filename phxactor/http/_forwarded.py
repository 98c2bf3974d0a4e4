"""The `Forwarded` header (RFC 7239): a list with the `for`, `proto` and `host` that each proxy saw."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

Element: TypeAlias = dict[str, str]
"""The parameters that one proxy wrote, by their names in lower case."""

MOST: Final = 4096
"""Limit for one header line in bytes; a longer one counts as malformed, since its parsing would take long."""

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PAIR: Final = re.compile(
    rf"(?:(?P<name>{_WORD})=(?:(?P<token>{_WORD})|\"(?P<quoted>(?:[^\"\\]|\\.)*)\"))?[ \t]*(?P<end>[;,]|\Z)[ \t]*"
)
_QUOTED_PAIR: Final = re.compile(r"\\(.)")


def parse_forwarded(line: str) -> list[Element] | None:
    """Return the elements of a header line from left to right; None if anything in it is malformed.

    A value with `:`, `[`, `,` or `;` must be quoted. A name may stand only once in an element.
    """
    if len(line) > MOST:
        return None
    elements: list[Element] = [{}]
    at, end, line = 0, ",", line.strip(" \t")
    while at < len(line) or end != "":
        match = _PAIR.match(line, at)
        if match is None:
            return None
        if match["name"] is not None:
            name = match["name"].lower()
            if name in elements[-1]:
                return None
            quoted = match["quoted"]
            elements[-1][name] = match["token"] if quoted is None else _QUOTED_PAIR.sub(r"\1", quoted)
        at, end = match.end(), match["end"]
        if end == ",":
            elements.append({})
    return elements
