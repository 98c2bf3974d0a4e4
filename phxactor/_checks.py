"""Checks of options: each returns the value that was given, or raises an error that names the option.

A value of a wrong type raises TypeError, a value that is not allowed ValueError. `validator` makes an attrs validator
of a check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf, isnan
from typing import Any, TypeVar

import attrs

T = TypeVar("T")


def seconds(name: str, value: object) -> float:
    """Check a number of seconds above 0; `math.inf` stands for no limit."""
    number = _number(name, value, "a number of seconds")
    if isnan(number) or number <= 0:
        raise ValueError(f"{name} must be more than 0 seconds, or math.inf for no limit, not {value!r}")
    return number


def whole(name: str, value: object, least: int = 1, also: str = "") -> int:
    """Check a whole number of at least `least`; `also` ends the text of the error."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number of at least {least}{also}, not {value!r}")
    if value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}{also}, not {value!r}")
    return value


def per_second(name: str, value: object) -> float:
    """Check a rate: a number above 0."""
    number = _number(name, value, "a number, or None for no limit")
    if not 0 < number < inf:
        raise ValueError(f"{name} must be more than 0, or None for no limit, not {value!r}")
    return number


def most(name: str, value: object, least: int = 0) -> float:
    """Check a limit: a whole number of at least `least`, or `math.inf` for no limit."""
    return inf if value == inf else whole(name, value, least, ", or math.inf for no limit")


def mapping(name: str, value: object) -> Mapping[Any, Any]:
    """Check a dict or another mapping."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping, not {value!r}")
    return value


def flag(name: str, value: object) -> bool:
    """Check True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return value


def function(name: str, value: T) -> T:
    """Check something that can be called."""
    if not callable(value):
        raise TypeError(f"{name} must be a function, not {value!r}")
    return value


def choice(name: str, value: T, choices: Iterable[object]) -> T:
    """Check one of a few values: texts, tuples, or single objects such as False."""
    allowed = list(choices)
    if not any(value is one or (isinstance(value, str | tuple) and value == one) for one in allowed):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, not {value!r}")
    return value


def one_of(choices: Iterable[object]) -> Callable[[str, T], T]:
    """Make a check of `choice`."""
    allowed = tuple(choices)

    def check_choice(name: str, value: T) -> T:
        return choice(name, value, allowed)

    return check_choice


def path(name: str, value: object) -> str:
    """Check a path of a URL: text that begins with a slash, without a query and a fragment."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {value!r}")
    if not value.startswith("/") or "?" in value or "#" in value:
        raise ValueError(f"{name} must begin with a slash and have no query, such as '/websocket', not {value!r}")
    return value


def listed(name: str, value: Iterable[T]) -> tuple[T, ...]:
    """Check a list, a tuple or the like, which text is not."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be a list, not {value!r}")
    return tuple(value)


def optional(check: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    """Make a check that takes None too."""

    def check_or_none(name: str, value: object) -> object:
        return None if value is None else check(name, value)

    return check_or_none


def validator(check: Callable[[str, Any], Any]) -> Callable[[object, attrs.Attribute[Any], object], None]:
    """Make an attrs validator of a check: the name of the option is the name of the field."""

    def validate(_: object, field: attrs.Attribute[Any], value: object) -> None:
        check(field.name, value)

    return validate


def _number(name: str, value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be {what}, not {value!r}")
    return value
