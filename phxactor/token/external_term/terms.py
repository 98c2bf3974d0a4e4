"""The terms: their types in Python, and the bounds that they keep when written and when read."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

import attrs

Term: TypeAlias = "int | float | str | bytes | Atom | tuple[Term, ...] | list[Term] | dict[Term, Term] | None"
"""What `decode` returns; True and False are ints to a type checker."""

MAX_DEPTH: Final = 100
"""How deep tuples, lists and maps may lie in each other."""
MAX_SIZE: Final = 1 << 20
"""Bytes of an encoded term. What is read takes at most about 64 times as much memory (empty lists)."""

CONSTANTS: Final[dict[str, bool | None]] = {"true": True, "false": False, "nil": None}
"""The atoms that are constants in Python."""

_MAX_ATOM: Final = 255  # characters
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class TermError(ValueError):
    """A value has no external term, or bytes are none; the text says what is wrong and, when read, at which byte."""


def _name_of_an_atom(_atom: Atom, _attribute: attrs.Attribute[str], name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"the name of an atom is a str, not {type(name).__qualname__}")
    if name in CONSTANTS:
        raise ValueError(f"the atom {name} is {CONSTANTS[name]} in Python")
    if len(name) > _MAX_ATOM:
        raise ValueError(f"the name of an atom has at most {_MAX_ATOM} characters, not {len(name)}")
    if _SURROGATE.search(name):
        raise ValueError("the name of an atom has half of a surrogate pair, which UTF-8 has not")


@attrs.frozen
class Atom:
    """An atom of Erlang other than true, false and nil, e.g. `Atom("infinity")`.

    An ordinary value: no table remembers it, so that what is decoded cannot fill one.
    """

    name: str = attrs.field(validator=_name_of_an_atom)
