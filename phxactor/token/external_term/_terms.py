"""The terms: their types in Python, and their limits, which hold for encoding and decoding."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

import attrs

Term: TypeAlias = "int | float | str | bytes | Atom | tuple[Term, ...] | list[Term] | dict[Term, Term] | None"
"""The values that `decode` returns. Type checkers take True and False for ints."""

MAX_DEPTH: Final = 100
"""The greatest nesting depth of tuples, lists and maps."""
MAX_SIZE: Final = 1 << 20
"""The greatest size of an encoded term, in bytes. A decoded term takes at most about 64 times as much (empty lists)."""

CONSTANTS: Final[dict[str, bool | None]] = {"true": True, "false": False, "nil": None}
"""The atoms that are constants in Python."""

_MAX_ATOM: Final = 255  # characters
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class TermError(ValueError):
    """A value has no external term, or bytes hold none. The text says what is wrong and, for bytes, at which offset."""


def _name_of_an_atom(_atom: Atom, _attribute: attrs.Attribute[str], name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"the name of an atom is a str, not {type(name).__qualname__}")
    if name in CONSTANTS:
        raise ValueError(f"the atom {name} is {CONSTANTS[name]} in Python")
    if len(name) > _MAX_ATOM:
        raise ValueError(f"the name of an atom has at most {_MAX_ATOM} characters, not {len(name)}")
    if _SURROGATE.search(name):
        raise ValueError("the name of an atom contains half of a surrogate pair, which UTF-8 cannot encode")


@attrs.frozen
class Atom:
    """An atom of Erlang other than true, false and nil, e.g. `Atom("infinity")`.

    An ordinary value: there is no table of atoms that decoded tokens could fill.
    """

    name: str = attrs.field(validator=_name_of_an_atom)
