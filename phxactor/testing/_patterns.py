"""Patterns: what a test expects of a payload, and where what came differs.

    ...                       anything
    {"body": "hi"}            a map with at least this, as Elixir matches maps; `{}` is any map
    [1, ...]                  a list of as many, each as its pattern says
    NewMessage, list[int]     a type: attrs, dataclass, TypedDict, ..., as a handler's annotation
    lambda payload: ...       a predicate
    exactly({"body": "hi"})   this and nothing else
    "hi", 5, None, b"..."     an equal value; True is not 1

All but types may be nested in one another, and types too, where they stand as a value.
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
"""Shows a value in a line."""


class _Describer(reprlib.Repr):
    """Shows patterns within patterns as they are shown by themselves."""

    def repr1(self, x: object, level: int) -> str:
        """Show a part."""
        if x is ... or isinstance(x, type) or hasattr(x, "__code__"):
            return describe(x)
        return super().repr1(x, level)


_describer: Final = _Describer()
vars(_describer).update(vars(_brief))


@attrs.frozen
class Exactly:
    """A pattern that allows no more keys in maps than it names; `exactly` makes it."""

    value: object

    def __repr__(self) -> str:
        """Show it as it was written."""
        return f"exactly({brief(self.value)})"


def exactly(value: object) -> Exactly:
    """Match this value and nothing else: maps have no other keys."""
    return Exactly(value)


@attrs.frozen
class Fit:
    """What came is what was expected; `value` is the payload, made what a type asks for."""

    value: object


def fit(pattern: Pattern, payload: object) -> Fit | list[str]:
    """Compare a payload with a pattern; if it does not fit, say where, one line each."""
    if is_type(pattern):
        return _fit_type(pattern, payload, "payload")
    differences = _differences(pattern, payload, "payload")
    return differences or Fit(payload)


def is_type(pattern: Pattern) -> bool:
    """Tell whether a pattern is a type, or an annotation such as `list[int]` or `int | None`."""
    return isinstance(pattern, type | types.UnionType) or get_origin(pattern) is not None


def describe(pattern: Pattern) -> str:
    """Show a pattern for a message."""
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
    """Ask a predicate; one that raises does not fit, as a guard that fails in Elixir."""
    try:
        if predicate(value):
            return []
    except Exception as error:  # noqa: BLE001 - the test's own, on a payload of another shape
        return [f"{describe(predicate)} raised {error!r} for {brief(value)} @ {where}"]
    return [f"{describe(predicate)} says no to {brief(value)} @ {where}"]


def _equal(wanted: object, value: object, where: str) -> list[str]:
    if wanted == value and isinstance(wanted, bool) == isinstance(value, bool):
        return []
    return [_unlike(brief(wanted), value, where)]


def _unlike(wanted: str, value: object, where: str) -> str:
    return f"expected {wanted}, not {brief(value)} @ {where}"
