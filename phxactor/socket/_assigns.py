"""Assigns: the named values that a program keeps with a socket or a channel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Never, overload


class Assigns(Mapping[str, Any]):
    """Named values, read as items or as attributes: `assigns["user_id"]`, `assigns.user_id`.

    It never changes: `assign` makes another one. A channel starts with the assigns of its socket, and no channel sees
    what another one assigns, as in Phoenix. Read a name that is also a method of mappings, such as `items`, as an item.
    """

    __slots__ = ("_values",)

    _values: dict[str, Any]

    def __init__(self, values: Mapping[str, Any] | None = None, /, **named: Any) -> None:  # noqa: ANN401 - any value
        object.__setattr__(self, "_values", {**(values or {}), **named})

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - the program knows the type
        return self._values[name]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the same
        try:
            return self._values[name]
        except KeyError:
            there = ", ".join(map(str, self._values)) or "nothing"
            raise AttributeError(f"{name!r} is not assigned; there is: {there}") from None

    def __setattr__(self, name: str, value: Never) -> None:
        raise AttributeError(f"assigns are set with assign({name}=...)")

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Assigns({self._values!r})"

    def __reduce__(self) -> tuple[type[Assigns], tuple[dict[str, Any]]]:
        return Assigns, (self._values,)


@overload
def assign(current: Assigns, /, **named: Any) -> Assigns: ...  # noqa: ANN401 - any value
@overload
def assign(current: Assigns, name: str, value: Any, /, **named: Any) -> Assigns: ...  # noqa: ANN401
@overload
def assign(current: Assigns, values: Mapping[str, Any], /, **named: Any) -> Assigns: ...  # noqa: ANN401
@overload
def assign(
    current: Assigns,
    function: Callable[[Assigns], Mapping[str, Any]],
    /,
    **named: Any,  # noqa: ANN401
) -> Assigns: ...
def assign(current: Assigns, /, *args: Any, **named: Any) -> Assigns:
    """Return the current assigns with new values added or replaced; `current` does not change.

    The new values are given as keywords (`user_id=42`), as a name and a value (`"user_id", 42`), as a mapping
    (`{"user_id": 42}`), or as a function that gets the current assigns and returns a mapping. Keywords may
    follow any of them; a keyword replaces a value of the same name.

    Raises:
        TypeError: anything else was given, a name is no string, or the function returned no mapping.

    """
    match args:
        case ():
            values: Mapping[str, Any] = {}
        case (name, value):
            values = {name: value}
        case (Mapping() as mapping,):
            values = mapping
        case (function,) if callable(function):
            values = function(current)
            if not isinstance(values, Mapping):
                raise TypeError(f"the function given to assign must return a mapping; it returned {values!r}")
        case _:
            given = ", ".join(map(repr, args))
            raise TypeError(f"assign takes a name and a value, a mapping, a function or keywords; got ({given})")
    for name in values:
        if not isinstance(name, str):
            raise TypeError(f"a name to assign must be a string; got {name!r}")
    return Assigns({**current, **values}, **named)
