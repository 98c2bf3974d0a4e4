"""Queries and forms, decoded as Plug does: `a=1`, nested maps `a[b]=1`, lists `a[]=1&a[]=2`.

The rules are those of Plug 1.16, since phoenix.js encodes its params for Plug. The last entry wins: for a key given
twice, and for the kind of a key's value (`a[]=1&a[b]=2` is a map, `a[b]=2&a[]=1` a list). `a[][b]=1&a[][c]=2` is a list
of one map. Brackets count after percent-decoding. A key that does not end in `]`, or that begins with `[`, has no
parts. A `%` without two hex digits stands for itself. Unlike Plug, this module has limits, since any client can send
a query.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Final, TypeAlias
from urllib.parse import unquote_to_bytes

from phxactor.http._request_error import RequestError

Param: TypeAlias = "str | list[Param] | dict[str, Param]"
"""A decoded value."""
Params: TypeAlias = dict[str, Param]
"""A decoded query; a key without `=` has the value `""`."""

MAX_PARAMS: Final = 1000
"""Most parameters of one query or form."""
MAX_DEPTH: Final = 32
"""Most parts of one key: `a[b][c]` has three parts."""

_PAIR: Final = re.compile("[^&]+")


class BadParams(RequestError):
    """A query or a form cannot be decoded; the text says why."""


class _Level:
    """One level of nesting: its assigned entries, in the order of the query."""

    __slots__ = ("below", "entries")

    def __init__(self) -> None:
        self.entries: list[tuple[str, str | _Level]] = []
        self.below: dict[str, _Level] = {}

    def assign(self, keys: list[str], value: str) -> None:
        level = self
        for key in keys[:-1]:
            if key not in level.below:
                level.below[key] = _Level()
                level.entries.append((key, level.below[key]))
            level = level.below[key]
        level.entries.append((keys[-1], value))

    def as_map(self) -> Params:
        return {key: _finish(value) for key, value in self.entries}

    def as_nested(self) -> Param:
        """Return a list or a map, as the last entry says: below the top level, an empty key means a list."""
        if self.entries[-1][0]:
            return {key: _finish(value) for key, value in self.entries if key}
        return [_finish(value) for key, value in self.entries if not key]


def decode(query: str) -> Params:
    """Decode a query string, the part of a URL after its `?`; or the body of a form.

    Raises:
        BadParams: a parameter is not UTF-8; there are more than 1000 parameters, or a key has more than 32 parts.

    """
    if query.count("&") > MAX_PARAMS:  # a form may have half a million: look at no more of them than needed
        given = [found[0] for found in islice(_PAIR.finditer(query), MAX_PARAMS + 1)]
    else:
        given = query.split("&")
    pairs = [pair.partition("=") for pair in given if pair]
    if len(pairs) > MAX_PARAMS:
        raise BadParams(f"there are more than {MAX_PARAMS} parameters")
    if "[" not in query and "%" not in query:  # a fast path: most queries are like this
        return {key.replace("+", " "): value.replace("+", " ") for key, _, value in pairs}
    top = _Level()
    for key, _, value in pairs:
        top.assign(_split_key(_decode_text(key)), _decode_text(value))
    return top.as_map()


def _finish(value: str | _Level) -> Param:
    return value if isinstance(value, str) else value.as_nested()


def _split_key(key: str) -> list[str]:
    first, bracket, rest = key.partition("[")
    if not (first and bracket and rest.endswith("]")):
        return [key]
    keys = [first, *rest[:-1].split("][", MAX_DEPTH)]
    if len(keys) > MAX_DEPTH:
        raise BadParams(f"a parameter is nested more than {MAX_DEPTH} deep")
    return keys


def _decode_text(text: str) -> str:
    if "%" not in text:
        return text.replace("+", " ")
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError as error:
        raise BadParams(f"a parameter is not UTF-8 ({error.reason})") from None
