"""Patterns: how a test describes a payload that it expects, and the differences of a payload from a pattern.

    ...                       anything
    {"body": "hi"}            a map with at least these keys, as Elixir matches maps; `{}` is any map
    [1, ...]                  a list of the same length, each element with its pattern
    NewMessage, list[int]     a type: attrs, dataclass, TypedDict, ..., as a handler's annotation
    lambda payload: ...       a predicate
    exactly({"body": "hi"})   this and nothing else
    "hi", 5, None, b"..."     an equal value; True is not 1

Patterns may be nested in maps and lists.
"""

from __future__ import annotations

import reprlib
import types
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, get_origin

import attrs

from phxactor.channels import PayloadError, structure_into

Pattern: TypeAlias = Any
"""Any of the above."""

_brief: Final = reprlib.Repr()
_brief.maxstring = _brief.maxother = 200
_brief.maxdict = _brief.maxlist = _brief.maxtuple = 20
_brief.maxlevel = 8
brief: Final = _brief.repr
"""Returns a value as one short line."""


class _Describer(reprlib.Repr):
    """Shows nested patterns as `describe` shows them."""

    def repr1(self, x: object, level: int) -> str:
        """Show a part."""
        if x is ... or isinstance(x, type) or hasattr(x, "__code__"):
            return describe(x)
        return super().repr1(x, level)


_describer: Final = _Describer()
vars(_describer).update(vars(_brief))


@attrs.frozen
class Exactly:
    """A pattern for an equal value, without further keys in maps; `exactly` makes it."""

    value: object

    def __repr__(self) -> str:
        """Show it as it was written."""
        return f"exactly({brief(self.value)})"


def exactly(value: object) -> Exactly:
    """Return a pattern that matches only this value: its maps must have no further keys."""
    return Exactly(value)


@attrs.frozen
class Fit:
    """The payload matches the pattern. `value` is the payload, structured if the pattern is a type."""

    value: object


def fit(pattern: Pattern, payload: object) -> Fit | list[str]:
    """Compare a payload with a pattern. Return a Fit, or the differences, one line each."""
    if is_type(pattern):
        return _fit_type(pattern, payload, "payload")
    differences = _differences(pattern, payload, "payload")
    return differences or Fit(payload)


def is_type(pattern: Pattern) -> bool:
    """Tell whether a pattern is a type, or an annotation such as `list[int]` or `int | None`."""
    return isinstance(pattern, type | types.UnionType) or get_origin(pattern) is not None


def describe(pattern: Pattern) -> str:
    """Return a pattern as text, for an error text."""
    if pattern is ...:
        return "..."
    if isinstance(pattern, type):
        return pattern.__qualname__
    code = getattr(pattern, "__code__", None)
    if code is not None:
        return f"{pattern.__qualname__} (line {code.co_firstlineno})"
    return _describer.repr(pattern)


def _fit_type(wanted: Any, value: object, where: str) -> Fit | list[str]:  # noqa: ANN401 - any annotation
    structure = structure_into(wanted)
    if structure is None:
        raw = wanted in (dict, Mapping) or get_origin(wanted) is not None
        return [_unlike("a map", value, where)] if raw and not isinstance(value, Mapping) else Fit(value)
    try:
        return Fit(structure(value))
    except PayloadError as error:
        return [line.replace("@ payload", f"@ {where}") for line in error.errors]


def _differences(pattern: Pattern, value: object, where: str) -> list[str]:
    if pattern is ...:
        return []
    if isinstance(pattern, Exactly):
        return _equal(pattern.value, value, where)
    if isinstance(pattern, Mapping):
        return _differences_of_maps(pattern, value, where)
    if isinstance(pattern, list | tuple):
        return _differences_of_lists(pattern, value, where)
    if is_type(pattern):
        fitting = _fit_type(pattern, value, where)
        return [] if isinstance(fitting, Fit) else fitting
    if callable(pattern):
        return _ask(pattern, value, where)
    return _equal(pattern, value, where)


def _differences_of_maps(pattern: Mapping[Any, Pattern], value: object, where: str) -> list[str]:
    if not isinstance(value, Mapping):
        return [_unlike("a map", value, where)]
    found = []
    for key, wanted in pattern.items():
        if key in value:
            found += _differences(wanted, value[key], f"{where}[{key!r}]")
        else:
            found.append(f"there is no {key!r} @ {where}")
    return found


def _differences_of_lists(pattern: list[Pattern] | tuple[Pattern, ...], value: object, where: str) -> list[str]:
    if not isinstance(value, list):
        return [_unlike("a list", value, where)]
    if len(value) != len(pattern):
        return [f"expected {len(pattern)} elements, not {len(value)} @ {where}"]
    found = []
    for index, (wanted, one) in enumerate(zip(pattern, value, strict=True)):
        found += _differences(wanted, one, f"{where}[{index}]")
    return found


def _ask(predicate: Callable[[object], object], value: object, where: str) -> list[str]:
    """Call a predicate. If it raises, the payload does not match, as with a failing guard in Elixir."""
    try:
        if predicate(value):
            return []
    except Exception as error:  # noqa: BLE001 - the test's predicate may raise anything for an unexpected payload
        return [f"{describe(predicate)} raised {error!r} for {brief(value)} @ {where}"]
    return [f"{describe(predicate)} says no to {brief(value)} @ {where}"]


def _equal(wanted: object, value: object, where: str) -> list[str]:
    if wanted == value and isinstance(wanted, bool) == isinstance(value, bool):
        return []
    return [_unlike(brief(wanted), value, where)]


def _unlike(wanted: str, value: object, where: str) -> str:
    return f"expected {wanted}, not {brief(value)} @ {where}"
