"""Checks of the fields of declared messages against their annotations, found by cattrs. Nothing is coerced.

A check takes a value and the path to it, and raises TypeError, which begins with that path, unless the value fits.
"""

from __future__ import annotations

import collections.abc
import types
from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import partial
from typing import Annotated, Any, Final, Literal, NewType, TypeAlias, TypeVar, Union, get_args, get_origin
from uuid import UUID

import attrs
import cattrs

from phxactor.runtime import Pid, Ref

Check: TypeAlias = Callable[[object, str], None]


def check_of(annotation: Any) -> Check:  # noqa: ANN401 - any annotation
    """Return the check of an annotation. Raises TypeError for one that no data fits, such as a function."""
    return _anything if annotation is None else _checks.get_structure_hook(_meant(annotation))


def _meant(annotation: Any) -> Any:  # noqa: ANN401 - any annotation
    """Return what an annotation only gives a name, or decorates."""
    while True:
        if isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif get_origin(annotation) in {Annotated, Final}:
            annotation = get_args(annotation)[0]
        elif type(annotation).__name__ == "TypeAliasType":  # of Python 3.12
            annotation = annotation.__value__
        else:
            return annotation


def _wrong(value: object, path: str, wanted: str) -> TypeError:
    return TypeError(f"{path} is {named(value)}, and {wanted} is declared")


def named(value: object) -> str:
    """Return the type of a value with its article; None as it is."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name:.100}"


def _anything(_value: object, _path: str) -> None:
    """Take any value: whether it is data is found as it is written."""


def _none(value: object, path: str) -> None:
    if value is not None:
        raise _wrong(value, path, "None")


def _exact(*wanted: type) -> Check:
    """Check for these very types: a bool is no int."""

    def check(value: object, path: str) -> None:
        if type(value) not in wanted:
            raise _wrong(value, path, wanted[0].__name__)

    return check


def _instance(annotation: Any) -> Check:  # noqa: ANN401 - any annotation
    wanted: type = get_origin(annotation) or annotation

    def check(value: object, path: str) -> None:
        if not isinstance(value, wanted):
            raise _wrong(value, path, wanted.__name__)

    return check


def _items(kinds: Sequence[type], annotation: Any) -> Check:  # noqa: ANN401 - any annotation
    """Check a list, a set or the like, and each of its items."""
    (inner,) = get_args(annotation) or (object,)
    check_item, exact = check_of(inner), _exact(*kinds)
    if check_item is _anything:
        return exact

    def check(value: object, path: str) -> None:
        exact(value, path)
        for number, item in enumerate(value):  # type: ignore[var-annotated, arg-type]
            check_item(item, f"{path}[{number}]")

    return check


def _tuple(annotation: Any) -> Check:  # noqa: ANN401 - any annotation
    inner = get_args(annotation)
    exact = _exact(tuple)
    if not inner and annotation is tuple:
        return exact
    if len(inner) == 2 and inner[1] is ...:  # noqa: PLR2004 - tuple[X, ...]
        check_item = check_of(inner[0])

        def check_all(value: object, path: str) -> None:
            exact(value, path)
            for number, item in enumerate(value):  # type: ignore[var-annotated, arg-type]
                check_item(item, f"{path}[{number}]")

        return check_all
    checks = [check_of(one) for one in inner]

    def check(value: object, path: str) -> None:
        if type(value) is not tuple or len(value) != len(checks):
            raise _wrong(value, path, f"tuple of {len(checks)}")
        for number, (item, check_item) in enumerate(zip(value, checks, strict=True)):
            check_item(item, f"{path}[{number}]")

    return check


def _dict(annotation: Any) -> Check:  # noqa: ANN401 - any annotation
    inner = get_args(annotation) or (object, object)
    check_key, check_value, exact = check_of(inner[0]), check_of(inner[1]), _exact(dict)

    def check(value: object, path: str) -> None:
        exact(value, path)
        for key, item in value.items():  # type: ignore[attr-defined]
            check_key(key, f"the key {key!r:.50} of {path}")
            check_value(item, f"{path}[{key!r:.50}]")

    return check


def _union(annotation: Any) -> Check:  # noqa: ANN401 - any annotation
    """Check that one of several fits."""
    checks = [_none if one is types.NoneType else check_of(one) for one in get_args(annotation)]

    def check(value: object, path: str) -> None:
        for one in checks:
            try:
                one(value, path)
            except TypeError:
                continue
            return
        raise _wrong(value, path, str(annotation))

    return check


def _literal(annotation: Any) -> Check:  # noqa: ANN401 - any annotation
    allowed = {(type(one), one) for one in get_args(annotation)}

    def check(value: object, path: str) -> None:
        if not isinstance(value, str | bytes | int | types.NoneType) or (type(value), value) not in allowed:
            raise TypeError(f"{path} is {value!r:.100}, and {annotation} is declared")

    return check


def _refuse(annotation: object) -> Check:
    raise TypeError(f"no data fits the annotation {annotation!r}")


def _kind_of(wanted: Sequence[object], annotation: object) -> bool:
    """Say whether an annotation is one of some types, or one of them with arguments."""
    origin = get_origin(annotation)
    return any(annotation is one or origin is one for one in wanted)


def _is_instance(annotation: object) -> bool:
    cls = get_origin(annotation) or annotation
    return isinstance(cls, type) and (attrs.has(cls) or issubclass(cls, Pid | Ref))


def _is_anything(annotation: object) -> bool:
    return annotation is Any or annotation is object or isinstance(annotation, TypeVar)


# The last that was registered is asked first: ours come before those of cattrs, which coerce.
_checks: Final = cattrs.Converter()
_checks.register_structure_hook_factory(lambda _: True, _refuse)
_checks.register_structure_hook_func(_is_anything, _anything)
_checks.register_structure_hook_func(lambda annotation: annotation is types.NoneType, _none)
_checks.register_structure_hook_factory(_is_instance, _instance)
for _leaf in (bool, int, str, bytes, datetime, date, UUID):
    _checks.register_structure_hook(_leaf, _exact(_leaf))
_checks.register_structure_hook(float, _exact(float, int))  # as type checkers take an int for a float
_KINDS: Final[tuple[tuple[Callable[[Any], Check], tuple[object, ...]], ...]] = (
    (partial(_items, (list,)), (list,)),
    (partial(_items, (list, tuple)), (collections.abc.Sequence,)),
    (partial(_items, (set,)), (set,)),
    (partial(_items, (frozenset,)), (frozenset,)),
    (partial(_items, (set, frozenset)), (collections.abc.Set,)),
    (_tuple, (tuple,)),
    (_dict, (dict, collections.abc.Mapping)),
    (_union, (Union, types.UnionType)),
    (_literal, (Literal,)),
)
for _make, _wanted in _KINDS:
    _checks.register_structure_hook_factory(partial(_kind_of, _wanted), _make)
